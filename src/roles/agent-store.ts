/** The store that bundles go to. Its client is loaded with the first bundle. */
import type { AgentSettings } from "../config/options.ts";
import { DumpError } from "../domain/failures.ts";
import type { DumpSink } from "../upload/sink.ts";
import type { Ship } from "./agent-desk.ts";

/** @returns undefined where no store is named: allowed dumps then wait */
export function shipTo(settings: AgentSettings): Ship | undefined {
  if (settings.store === undefined) return undefined;
  let sink: Promise<DumpSink> | undefined;
  return async (record, entry, signal) => {
    const { ship } = await import("../upload/ship.ts");
    sink ??= sinkFor(settings.store ?? "");
    return await ship(record, entry, await sink, signal);
  };
}

async function sinkFor(store: string): Promise<DumpSink> {
  if (!store.startsWith("/"))
    throw new DumpError("SETTINGS_INVALID", `Cannot use --store=${store}: neither a directory nor s3://bucket/prefix`);
  const { DirectorySink } = await import("../store/directory.ts");
  return new DirectorySink(store);
}
