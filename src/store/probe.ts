/**
 * Whether a store lets us in, before there is anything to do: with the rights that the role has, and leaving nothing. Not
 * retried here: whoever asks wants to know how it is now.
 */
import { randomUUID } from "node:crypto";
import { open, opendir, rm } from "node:fs/promises";
import type { StoreSettings } from "../config/store-options.ts";
import { DumpError } from "../domain/failures.ts";
import { MARKER, PROBE } from "./bundle/marker.ts";
import { folderOf } from "./directory/folder.ts";
import { fileFailure } from "./ports/failures.ts";
import { type Location, locationOf, type S3Settings } from "./ports/location.ts";

/** @throws DumpError STORE_…, as the store's port; the signal's reason */
type Probe = (signal: AbortSignal) => Promise<void>;

/** As one who puts bundles: begins an upload, asks for its parts and discards it; in a directory, makes a file and removes it. */
export function writeProbe(settings: StoreSettings & { readonly store: string }): Probe {
  const location = locationOf(settings.store);
  if (location.kind === "directory") return () => writeInto(location.path);
  return async (signal) => {
    const { S3Bucket } = await import("./s3/bucket.ts");
    const bucket = new S3Bucket(location, settings, PATIENCE);
    const { uploadId } = await bucket.create(PROBE, {}, signal);
    try {
      await bucket.listParts(PROBE, uploadId, signal);
    } finally {
      await bucket.abort(PROBE, uploadId, AbortSignal.timeout(ABORT_MS)); // also when we are to end
    }
  };
}

/** As one who reads: the store's mark. That it is not there, or hidden from one who may not list, says nothing. */
export function readProbe(settings: StoreSettings & { readonly store: string }): Probe {
  const location = locationOf(settings.store);
  return location.kind === "directory" ? () => look(location.path) : (signal) => readMark(location, settings, signal);
}

const PATIENCE = { stallMs: 20_000 };
const ABORT_MS = 10_000;

async function writeInto(path: string): Promise<void> {
  try {
    await using folder = await folderOf(path, `${PROBE}-${randomUUID()}`, "look");
    const file = await open(folder.names.part, "wx", 0o600);
    try {
      await file.write("x");
    } finally {
      await file.close();
      await rm(folder.names.part, { force: true });
    }
  } catch (error) {
    throw fileFailure(error, `write into ${path}`);
  }
}

async function look(path: string): Promise<void> {
  try {
    await using folder = await folderOf(path, MARKER, "look");
    await (await opendir(`/proc/self/fd/${folder.directory.fd}`)).close();
  } catch (error) {
    throw fileFailure(error, `read ${path}`);
  }
}

/** What S3 answers for an object that is missing to one who may list, and to one who may not. */
const HIDDEN: ReadonlySet<string | undefined> = new Set(["NoSuchKey", "NotFound", "AccessDenied"]);

async function readMark(location: Location & { kind: "s3" }, settings: S3Settings, signal: AbortSignal): Promise<void> {
  const { S3Shelf } = await import("./s3/shelf.ts");
  try {
    await new S3Shelf(location, settings, PATIENCE).readNote(MARKER, signal);
  } catch (error) {
    const cause = error instanceof DumpError ? (error.cause as Error | undefined)?.name : undefined;
    if (!HIDDEN.has(cause)) throw error;
  }
}
