/** The store that the settings name, as each role needs it. All throw DumpError SETTINGS_INVALID for what names none. */
import type { StoreSettings } from "../config/store-options.ts";
import { DumpError } from "../domain/failures.ts";
import { directoryBackend } from "./directory/backend.ts";
import { limited } from "./limiter.ts";
import type { Backend } from "./ports/backend.ts";
import type { BundleStore } from "./ports/bundle-store.ts";
import { type Location, locationOf } from "./ports/location.ts";
import type { DumpSink } from "./ports/sink.ts";
import type { DumpSource } from "./ports/source.ts";
import { rereading, retrying } from "./retrying.ts";
import { s3Backend } from "./s3/backend.ts";

type Backends = {
  readonly [K in Location["kind"]]: (location: Location & { kind: K }, settings: StoreSettings) => Backend;
};
/** One row for each kind of store. */
const BACKENDS: Backends = { directory: directoryBackend, s3: s3Backend };

function backendOf(settings: StoreSettings, act: string): Backend {
  if (settings.store === undefined)
    throw new DumpError("SETTINGS_INVALID", `Cannot ${act}: no store is named`, { hint: "give --store" });
  const location = locationOf(settings.store);
  return BACKENDS[location.kind](location as never, settings);
}

/** To put bundles: patient, and within its bandwidth. */
export function openSink(settings: StoreSettings): DumpSink {
  const sink = backendOf(settings, "upload").sink();
  const { uploadBytesPerS } = settings;
  return retrying(uploadBytesPerS === undefined ? sink : limited(sink, Number(uploadBytesPerS)));
}

/** To read bundles. */
export const openSource = (settings: StoreSettings): DumpSource =>
  rereading(backendOf(settings, "serve dumps").source());

/** To look after it. The caller tries again. */
export const openStore = (settings: StoreSettings): BundleStore => backendOf(settings, "manage a store").store();

export const writeProbe = (settings: StoreSettings) => backendOf(settings, "upload").probeWriting;
export const readProbe = (settings: StoreSettings) => backendOf(settings, "serve dumps").probeReading;
