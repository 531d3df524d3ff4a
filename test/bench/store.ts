/** A bundle of a 1 GB core into a real S3 server of this machine, against `zstd -1 | an uploader of the AWS SDK`. */
import { execFileSync } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { ROOT } from "../support/paths.ts";
import { type S3, startS3 } from "../support/s3.ts";
import { type Compared, inTurn } from "./pairs.ts";

const GB = 1e9;
export const MIB = 1 << 20;

export interface Stored extends Compared {
  readonly maxRssMiB: number;
}

export async function store(count: number, folder: string): Promise<Stored> {
  await using s3 = await startS3();
  const core = join(folder, "core");
  writeCore(core, GB, GB);
  const [node, ship, upload] = [process.execPath, await program("ship", folder), await program("aws-upload", folder)];
  let maxRssMiB = 0;
  const ours = async () => {
    const { seconds, out } = run(s3, `exec '${node}' '${ship}' '${core}' '${s3.endpoint}' '${s3.bucket}'`);
    maxRssMiB = Math.max(maxRssMiB, (JSON.parse(out) as { maxRssMiB: number }).maxRssMiB);
    return seconds;
  };
  const base = async () =>
    run(s3, `zstd -q -1 -c '${core}' | '${node}' '${upload}' '${s3.endpoint}' '${s3.bucket}' base`).seconds;
  await ours(); // both read from the page cache from here on
  await base();
  return { ...(await inTurn(count, ours, base)), maxRssMiB };
}

/** A command with the keys of the store, on a disk with nothing left to write. */
export function run(s3: S3, command: string): { readonly seconds: number; readonly out: string } {
  const env = { ...process.env, AWS_ACCESS_KEY_ID: s3.accessKey, AWS_SECRET_ACCESS_KEY: s3.secretKey };
  execFileSync("sync");
  const start = performance.now();
  const out = execFileSync("sh", ["-c", command], { env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  return { seconds: (performance.now() - start) / 1000, out };
}

/** One file of plain JavaScript, as in the release: what strips types takes memory of its own. */
export async function program(name: string, folder: string): Promise<string> {
  const outfile = join(folder, `${name}.mjs`);
  const banner = { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' };
  const entryPoints = [join(import.meta.dirname, `${name}.ts`)];
  await build({
    entryPoints,
    outfile,
    banner,
    absWorkingDir: ROOT,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node26",
    logLevel: "error",
  });
  return outfile;
}

/** Like a heap: of four megabytes one is zero, one is noise, two are small objects full of pointers. Data in the middle. */
export function writeCore(path: string, lengthBytes: number, dataBytes: number): void {
  const block = Buffer.alloc(4 * MIB);
  randomFillSync(block, MIB, MIB);
  const fd = openSync(path, "w");
  ftruncateSync(fd, lengthBytes);
  for (let at = 0; at < dataBytes; at += block.length) {
    for (let word = 2 * MIB; word < block.length; word += 32) {
      block.writeBigUInt64LE(0x7f0000000000n + BigInt((at + word * 2_654_435_761) % 2 ** 30), word);
      block.writeUInt32LE((at + word) >>> 3, word + 16);
    }
    writeSync(fd, block, 0, Math.min(block.length, dataBytes - at), (lengthBytes - dataBytes) / 2 + at);
  }
  closeSync(fd);
}
