/** The store that bundles go to. Its client is loaded with the first probe. */

import type { Ship } from "../../cluster/steps/context.ts";
import type { AgentSettings } from "../../config/cluster-options.ts";
import type { StoreSettings } from "../../config/store-options.ts";
import type { DumpError } from "../../domain/failures.ts";
import { locationOf } from "../../store/ports/location.ts";
import type { DumpSink } from "../../store/ports/sink.ts";
import { forgetStart } from "../../system/footprint.ts";

/** How long the leftovers of an unwanted upload are worth a try. */
const ABANDON_MS = 30_000;

/** @returns undefined where no store is named: allowed dumps then wait @throws DumpError SETTINGS_INVALID */
export function shipTo(settings: StoreSettings & Pick<AgentSettings, "storeGroup">): Ship | undefined {
  if (settings.store === undefined) return undefined;
  const location = locationOf(settings.store); // at the start, not with the first dump
  const { storeGroup } = settings;
  const share = async () => {
    if (location.kind !== "directory" || storeGroup === undefined) return;
    await (await import("../../store/directory/folder.ts")).giveToGroup(location.path, storeGroup);
  };
  let shared = share(); // the collector waits for it
  shared.catch(() => undefined); // said with the first dump
  let sink: DumpSink | undefined;
  return async (record, entry, signal) => {
    const { abandon, ship } = await import("../../store/upload/ship.ts");
    const { openSink } = await import("../../store/open.ts");
    await shared.catch(() => {
      shared = share();
      return shared;
    });
    sink ??= openSink(settings);
    forgetStart(); // as much as the store's client took to load
    try {
      return await ship(record, entry, sink, signal);
    } catch (error) {
      const isDeleted = signal.aborted && (signal.reason as DumpError | undefined)?.code === "NOT_FOUND";
      const inTime = AbortSignal.timeout(ABANDON_MS);
      if (isDeleted) await abandon(record, entry, sink, inTime).catch(() => undefined); // the collector will
      throw error;
    }
  };
}
