/** A signal that fires on Ctrl-C and its like, so that work under way ends in good order. */
import { DumpError } from "../../domain/failures.ts";

export function interruptible(): { readonly signal: AbortSignal } & Disposable {
  const stopping = new AbortController();
  const stop = (): void => stopping.abort(new DumpError("INTERRUPTED", "Interrupted"));
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, stop);
  return {
    signal: stopping.signal,
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, stop);
    },
  };
}
