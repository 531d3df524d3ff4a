import type { StoreSettings } from "../config/store-options.ts";
import { DumpError } from "../domain/failures.ts";
import type { DumpSource } from "../download/source.ts";
import { locationOf } from "./location.ts";
import { rereading } from "./retrying.ts";

/** The store that the settings name, to read from. @throws DumpError SETTINGS_INVALID */
export async function openSource(settings: StoreSettings): Promise<DumpSource> {
  if (settings.store === undefined)
    throw new DumpError("SETTINGS_INVALID", "Cannot serve dumps: no store is named", { hint: "give --store" });
  const location = locationOf(settings.store);
  if (location.kind === "directory") {
    const { DirectorySource } = await import("./source-directory.ts");
    return rereading(new DirectorySource(location.path));
  }
  const { S3Source } = await import("./source-s3.ts");
  return rereading(new S3Source(location, settings));
}
