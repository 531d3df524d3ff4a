/**
 * A core out of the cache: into a file that is whole or not there at all, or to stdout.
 * Promise  Only a core whose checksum is right gets the name that was asked for; where it goes out as a stream, a wrong
 *          one ends in an error.
 */
import { fstatSync, statSync } from "node:fs";
import type { DumpRecord } from "../../domain/dump.ts";
import { DumpError } from "../../domain/failures.ts";
import { shortId } from "../../domain/id.ts";
import { bytes, safeName, shortfall } from "../output/describe.ts";
import { say } from "../output/print.ts";
import { Device, NewFile, type Sink, Stdout } from "../output/sinks.ts";
import { digestOf, openedCore } from "./core-file.ts";
import { targetPath } from "./target.ts";

interface ExtractTarget {
  /** A file, a directory, `-` for stdout; undefined: stdout when it is not a terminal. */
  readonly file: string | undefined;
  readonly force: boolean;
}

export async function extract(record: DumpRecord, corePath: string, wanted: ExtractTarget): Promise<void> {
  using core = openedCore(record, corePath);
  if (record.core.complete === false) say(`warning: this core is not complete: ${shortfall(record)}`);
  const path = targetPath(wanted.file, defaultName(record));
  using sink = sinkFor(path, wanted.force);
  const digest = await digestOf(core.fd, (chunk, positionBytes) => sink.write(chunk, positionBytes));
  check(record, digest);
  sink.finish(fstatSync(core.fd).size);
  if (path !== undefined) say(`${path}: ${bytes(record.core.storedBytes)} held, sha256 ${digest}`);
}

function check({ id, core }: DumpRecord, digest: string): void {
  if (core.sha256 === null) say("warning: the checksum of this core is not known yet, so it was not checked");
  if (core.sha256 === null || core.sha256 === digest) return;
  throw new DumpError("DUMP_CORRUPT", `Cannot confirm ${shortId(id)}: its SHA-256 is ${digest}, not ${core.sha256}`, {
    hint: `The cache's disk may be failing. The file itself is still there: coredump-detector info ${shortId(id)}`,
  });
}

/** `nginx-20261121T072103512Z-31605-3f9c2a71b0de.core`, every part from a safe alphabet. */
export function defaultName({ executable, dumptime, hostPid, id }: DumpRecord): string {
  return `${safeName(executable)}-${dumptime.replace(/[^\dTZ]/g, "")}-${hostPid}-${shortId(id)}.core`;
}

function sinkFor(path: string | undefined, force: boolean): Sink {
  if (path === undefined) return new Stdout();
  const there = statSync(path, { throwIfNoEntry: false });
  return there && !there.isFile() ? new Device(path) : new NewFile(path, force);
}
