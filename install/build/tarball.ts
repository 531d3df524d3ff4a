/** The tarball that is carried to a node: the same files give the same bytes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { DumpError } from "../../src/domain/failures.ts";

/** Packs `names` of `folder` under the one top directory `top`. Compressed by the pinned Node, not by the host's gzip. */
export async function pack(folder: string, names: readonly string[], top: string, file: string): Promise<void> {
  const plain = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--format=ustar"];
  const modes = "--mode=u=rwX,go=rX";
  const below = `--transform=s,^,${top}/,S`; // names, not what links lead to
  const args = [...plain, modes, below, "-C", folder, "-cf", "-", ...names];
  const tar = spawn("tar", args, { stdio: ["ignore", "pipe", "inherit"] });
  const [[status]] = await Promise.all([
    once(tar, "close"),
    pipeline(tar.stdout, createGzip(), createWriteStream(file)),
  ]);
  if (status !== 0) throw new DumpError("UNEXPECTED", `Cannot pack ${file}: tar's exit status is ${status}`);
}
