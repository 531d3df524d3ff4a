/** Where a store is, as `--store` names it. */
import { posix } from "node:path";
import type { StoreSettings } from "../../config/store-options.ts";
import { DumpError } from "../../domain/failures.ts";

export type Location =
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "s3"; readonly bucket: string; readonly prefix: string };

/** A key has 1024 bytes in S3, and ours take up to 500. */
const MAX_PREFIX_BYTES = 400;
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/; // old buckets may have capitals and underscores
const PREFIX = /^[\x21-\x7e]*$/;

const NEITHER = "neither a directory nor s3://BUCKET[/PREFIX]";
const HINT = "a directory begins with a slash; a bucket is named without its service: s3://cores/prod";

/** @throws DumpError SETTINGS_INVALID */
export function locationOf(store: string): Location {
  if (store.startsWith("/")) return { kind: "directory", path: posix.normalize(store).replace(/(.)\/$/, "$1") };
  const [, bucket = "", path = ""] = /^s3:\/\/([^/]*)(?:\/(.*))?$/s.exec(store) ?? [];
  const prefix = path.replace(/^\/+|\/+$/g, "");
  const isSafe = PREFIX.test(prefix) && !/(^|\/)\.{0,2}(\/|$)/.test(prefix || "x") && prefix.length <= MAX_PREFIX_BYTES;
  if (!BUCKET.test(bucket) || !isSafe)
    throw new DumpError("SETTINGS_INVALID", `Cannot use --store=${store}: ${NEITHER}`, { hint: HINT });
  return { kind: "s3", bucket, prefix };
}

/** As it stands in records: no secret is in it. */
export const volumeOf = (location: Location): string =>
  location.kind === "directory"
    ? location.path
    : `s3://${location.bucket}${location.prefix === "" ? "" : `/${location.prefix}`}`;

export type S3Settings = Omit<StoreSettings, "store" | "uploadBytesPerS">;

/** A key whose parts are names: none leads up, or to nowhere. */
export const isPlain = (key: string): boolean => !key.includes("\0") && !/(^|\/)\.{0,2}(\/|$)/.test(key);
