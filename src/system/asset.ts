/** Files that belong to the program: in the executable, or in the checkout. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { getAsset, isSea } from "node:sea";

/** The checkout; without meaning in the single executable. */
export const ROOT = join(import.meta.dirname, "../..");

/** A file of ours, by its path in the repository: in the single executable an asset (install/build), in a checkout a file. */
export const assetText = (path: string): string =>
  isSea() ? getAsset(path, "utf8") : readFileSync(join(ROOT, path), "utf8");
