import type { StoreSettings } from "../config/store-options.ts";
import { DumpError } from "../domain/failures.ts";
import { locationOf } from "./ports/location.ts";
import type { DumpSource } from "./ports/source.ts";
import { rereading } from "./retrying.ts";

/** The store that the settings name, to read from. @throws DumpError SETTINGS_INVALID */
export async function openSource(settings: StoreSettings): Promise<DumpSource> {
  if (settings.store === undefined)
    throw new DumpError("SETTINGS_INVALID", "Cannot serve dumps: no store is named", { hint: "give --store" });
  const location = locationOf(settings.store);
  if (location.kind === "directory") {
    const { DirectorySource } = await import("./directory/source.ts");
    return rereading(new DirectorySource(location.path));
  }
  const { S3Source } = await import("./s3/source.ts");
  return rereading(new S3Source(location, settings));
}
