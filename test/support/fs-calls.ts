/** What this process asks of the file system: to be counted, or to be failed at a step. */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

type Call = (...args: unknown[]) => unknown;

/** Calls `before` with each call's name, until disposed. What it throws the call throws. */
export function watchFs(before: (name: string) => void): Disposable {
  const table = fs as unknown as Record<string, Call>;
  const former = Object.entries(table).filter(([name, call]) => typeof call === "function" && /^[a-z]/.test(name));
  for (const [name, call] of former) {
    table[name] = (...args) => {
      before(name);
      return call(...args);
    };
  }
  const put = (): void => syncBuiltinESMExports();
  put();
  return {
    [Symbol.dispose]() {
      for (const [name, call] of former) table[name] = call;
      put();
    },
  };
}

/** How many calls `act` makes. */
export async function fsCalls(act: () => unknown): Promise<number> {
  let calls = 0;
  using _watching = watchFs(() => calls++);
  await act();
  return calls;
}
