import type { StoreSettings } from "../config/store-options.ts";
import { DumpError } from "../domain/failures.ts";
import { locationOf } from "./ports/location.ts";
import type { Shelf } from "./ports/shelf.ts";

/** The store that the settings name, to look after. Whoever uses it tries again. @throws DumpError SETTINGS_INVALID */
export async function openShelf(settings: StoreSettings): Promise<Shelf> {
  if (settings.store === undefined)
    throw new DumpError("SETTINGS_INVALID", "Cannot manage a store: none is named", { hint: "give --store" });
  const location = locationOf(settings.store);
  if (location.kind === "directory") {
    const { DirectoryShelf } = await import("./directory/shelf.ts");
    return new DirectoryShelf(location.path);
  }
  const { S3Shelf } = await import("./s3/shelf.ts");
  return new S3Shelf(location, settings);
}
