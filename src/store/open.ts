import type { StoreSettings } from "../config/store-options.ts";
import { DumpError } from "../domain/failures.ts";
import { limited } from "./limiter.ts";
import { locationOf } from "./ports/location.ts";
import type { DumpSink } from "./ports/sink.ts";
import { retrying } from "./retrying.ts";

/** The store that the settings name, as the agent uses it: patient, and within its bandwidth. @throws DumpError SETTINGS_INVALID */
export async function openSink(settings: StoreSettings): Promise<DumpSink> {
  const sink = await adapterFor(settings);
  const { uploadBytesPerS } = settings;
  return retrying(uploadBytesPerS === undefined ? sink : limited(sink, Number(uploadBytesPerS)));
}

/** A store's client is loaded when it is the one. */
async function adapterFor(settings: StoreSettings): Promise<DumpSink> {
  if (settings.store === undefined)
    throw new DumpError("SETTINGS_INVALID", "Cannot upload: no store is named", { hint: "give --store" });
  const location = locationOf(settings.store);
  if (location.kind === "directory") {
    const { DirectorySink } = await import("./directory/sink.ts");
    return new DirectorySink(location.path);
  }
  const { S3Sink } = await import("./s3/sink.ts");
  return new S3Sink(location, settings);
}
