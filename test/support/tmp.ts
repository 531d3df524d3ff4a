/** Folders that go away with their scope. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { identityOf } from "./identity-of.ts";
import { TESTBED } from "./paths.ts";

export interface TempDir extends Disposable {
  readonly path: string;
}

/** An empty folder with a short path (a core_pattern holds 127 bytes). */
export function tempDir(): TempDir {
  const path = mkdtempSync(join(tmpdir(), "cd-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A file system of its own, of that size, so that it can be full. Needs root; `testbed reap` removes it if we are killed. */
export function tempFileSystem(sizeBytes: bigint): TempDir {
  mkdirSync(join(TESTBED, "run"), { recursive: true });
  const folder = mkdtempSync(join(TESTBED, "run", "tmpfs-"));
  const path = join(folder, "fs");
  writeFileSync(join(folder, "owner"), identityOf(process.pid));
  mkdirSync(path);
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${sizeBytes},mode=0755`, "testbed", path]);
  return {
    path,
    [Symbol.dispose]: () => {
      execFileSync("umount", ["-l", path]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
