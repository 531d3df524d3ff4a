/** An S3 bucket as a store. The service's client is loaded with the first request. */
import { DumpError } from "../../domain/failures.ts";
import { MARKER, PROBE } from "../bundle/marker.ts";
import type { Backend } from "../ports/backend.ts";
import type { S3Settings } from "../ports/location.ts";
import { S3Bucket } from "./bucket.ts";
import { S3Store } from "./bundle-store.ts";
import type { S3Location } from "./client.ts";
import { S3Sink } from "./sink.ts";
import { S3Source } from "./source.ts";

const PATIENCE = { stallMs: 20_000 };
const ABORT_MS = 10_000;

export const s3Backend = (location: S3Location, settings: S3Settings): Backend => ({
  sink: () => new S3Sink(location, settings),
  source: () => new S3Source(location, settings),
  store: () => new S3Store(location, settings),
  probeWriting: (signal) => beginUpload(new S3Bucket(location, settings, PATIENCE), signal),
  probeReading: (signal) => readMark(new S3Store(location, settings, PATIENCE), signal),
});

/** Begins an upload, asks for its parts and discards it. */
async function beginUpload(bucket: S3Bucket, signal: AbortSignal): Promise<void> {
  const { uploadId } = await bucket.create(PROBE, {}, signal);
  try {
    await bucket.listParts(PROBE, uploadId, signal);
  } finally {
    await bucket.abort(PROBE, uploadId, AbortSignal.timeout(ABORT_MS)); // also when we are to end
  }
}

/** What S3 answers for an object that is missing to one who may list, and to one who may not. */
const HIDDEN: ReadonlySet<string | undefined> = new Set(["NoSuchKey", "NotFound", "AccessDenied"]);

async function readMark(store: S3Store, signal: AbortSignal): Promise<void> {
  try {
    await store.readNote(MARKER, signal);
  } catch (error) {
    const cause = error instanceof DumpError ? (error.cause as Error | undefined)?.name : undefined;
    if (!HIDDEN.has(cause)) throw error;
  }
}
