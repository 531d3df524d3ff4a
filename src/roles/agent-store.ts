/** The store that bundles go to. Its client is loaded with the first bundle. */
import type { AgentSettings } from "../config/options.ts";
import { locationOf } from "../store/location.ts";
import type { DumpSink } from "../upload/sink.ts";
import type { Ship } from "./agent-desk.ts";

/** @returns undefined where no store is named: allowed dumps then wait @throws DumpError SETTINGS_INVALID */
export function shipTo(settings: AgentSettings): Ship | undefined {
  if (settings.store === undefined) return undefined;
  locationOf(settings.store);
  let sink: Promise<DumpSink> | undefined;
  return async (record, entry, signal) => {
    const { ship } = await import("../upload/ship.ts");
    sink ??= import("../store/open.ts").then(({ openSink }) => openSink(settings));
    return await ship(record, entry, await sink, signal);
  };
}
