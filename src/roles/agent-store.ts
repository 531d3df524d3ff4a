/** The store that bundles go to. Its client is loaded with the first bundle. */
import type { StoreSettings } from "../config/store-options.ts";
import type { DumpSink } from "../upload/sink.ts";
import type { Ship } from "./agent-desk.ts";

/** @returns undefined where no store is named: allowed dumps then wait */
export function shipTo(settings: StoreSettings): Ship | undefined {
  if (settings.store === undefined) return undefined;
  let opened: Promise<DumpSink> | undefined;
  return async (record, entry, signal) => {
    const { ship } = await import("../upload/ship.ts");
    const { openSink } = await import("../store/open.ts");
    opened ??= openSink(settings);
    const sink = await opened.catch((error) => {
      opened = undefined;
      throw error;
    });
    return await ship(record, entry, sink, signal);
  };
}
