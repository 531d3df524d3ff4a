/** A mounted volume as a store. */
import { randomUUID } from "node:crypto";
import { open, opendir, rm } from "node:fs/promises";
import { MARKER, PROBE } from "../bundle/marker.ts";
import type { Backend } from "../ports/backend.ts";
import { fileFailure } from "../ports/failures.ts";
import { DirectoryStore } from "./bundle-store.ts";
import { folderOf } from "./folder.ts";
import { DirectorySink } from "./sink.ts";
import { DirectorySource } from "./source.ts";

export const directoryBackend = ({ path }: { readonly path: string }): Backend => ({
  sink: () => new DirectorySink(path),
  source: () => new DirectorySource(path),
  store: () => new DirectoryStore(path),
  probeWriting: () => writeInto(path),
  probeReading: () => look(path),
});

/** Makes a file and removes it. */
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
