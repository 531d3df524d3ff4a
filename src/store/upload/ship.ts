/** Takes one dump into the store. */
import type { DumpRecord } from "../../domain/dump.ts";
import { keyOf } from "../bundle/key.ts";
import type { DumpSink } from "../ports/sink.ts";
import { bundleOf } from "./bundle.ts";
import type { DumpFiles } from "./contents.ts";
import { UploadProgress } from "./progress.ts";

/**
 * One dump into the store, or the rest of it after an attempt that failed or was killed. When it resolves, the bundle is
 * durable and verified there; the caller then says so in the record, and may drop the core.
 *
 * @throws DumpError of a store, DUMP_NOT_HELD, DUMP_CORRUPT; the signal's reason
 */
export async function ship(record: DumpRecord, files: DumpFiles, sink: DumpSink, signal: AbortSignal) {
  await using bundle = await bundleOf(record, files);
  return await sink.put(bundle, signal);
}

/**
 * For a dump that is not to be stored any more: what unfinished attempts left in the store goes, so that nobody has to
 * find it there later. @throws DumpError of a store: then the collector will
 */
export async function abandon(record: DumpRecord, files: DumpFiles, sink: DumpSink, signal: AbortSignal) {
  const progress = UploadProgress.load(files.path("upload.json"), "");
  if (progress.noted === undefined) return;
  const { noted } = progress;
  await sink.discard({ key: keyOf(record), noted, note: (what) => progress.save(what) }, signal);
}
