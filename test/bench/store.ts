/**
 * `bin/node test/bench/store.ts [PAIRS]`: a bundle of a 1 GB core into a real S3 server of this machine, against
 * `zstd -1 | an uploader of the AWS SDK`; and the memory that a sparse core of 20 GiB takes. Needs `testbed setup cluster`.
 */
import { execFileSync } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { ROOT } from "../support/paths.ts";
import { type S3, startS3 } from "../support/s3.ts";
import { tempDir } from "../support/tmp.ts";
import { rounded, type Times, times } from "./pairs.ts";

const MIB = 1 << 20;
const GB = 1e9;
const SPARSE_BYTES = 20 * 1024 * MIB;
const BAR = 1.5;
const MAX_RSS_MIB = 128;

export interface StoreLine {
  readonly case: "store";
  readonly baseline: string;
  readonly pairs: number;
  readonly ours: Times;
  readonly base: Times;
  readonly ratio: number;
  readonly bar: number;
  readonly met: boolean;
  readonly extra: { readonly maxRssMiB: number; readonly sparseS: number; readonly sparseRssMiB: number };
}

export async function measureStore(pairs: number): Promise<StoreLine> {
  using dir = tempDir();
  await using s3 = await startS3();
  const [dense, sparse] = [join(dir.path, "dense"), join(dir.path, "sparse")];
  writeCore(dense, GB, GB);
  writeCore(sparse, SPARSE_BYTES, 200 * MIB);
  const ship = await program("ship", dir.path);
  const upload = await program("aws-upload", dir.path);
  const ours = (core: string) =>
    shipped(s3, `exec '${process.execPath}' '${ship}' '${core}' '${s3.endpoint}' '${s3.bucket}'`);
  const base = () =>
    shipped(s3, `zstd -q -1 -c '${dense}' | '${process.execPath}' '${upload}' '${s3.endpoint}' '${s3.bucket}' base`);
  const seconds: { ours: number[]; base: number[] } = { ours: [], base: [] };
  const memory = [ours(dense)].map(({ out }) => maxRss(out)); // both read from the page cache from here on
  base();
  for (let pair = 0; pair < pairs; pair++) {
    for (const which of pair % 2 === 0 ? (["ours", "base"] as const) : (["base", "ours"] as const))
      seconds[which].push((which === "ours" ? ours(dense) : base()).seconds);
  }
  const huge = ours(sparse);
  const [own, other] = [times(seconds.ours), times(seconds.base)];
  const ratio = rounded(own.medianS / other.medianS);
  const extra = { maxRssMiB: Math.max(...memory), sparseS: rounded(huge.seconds), sparseRssMiB: maxRss(huge.out) };
  const met = ratio <= BAR && extra.sparseRssMiB <= MAX_RSS_MIB;
  return { case: "store", baseline: "zstd -1 | AWS SDK", pairs, ours: own, base: other, ratio, bar: BAR, met, extra };
}

function shipped(s3: S3, command: string): { seconds: number; out: string } {
  const env = { ...process.env, AWS_ACCESS_KEY_ID: s3.accessKey, AWS_SECRET_ACCESS_KEY: s3.secretKey };
  execFileSync("sync");
  const start = performance.now();
  const out = execFileSync("sh", ["-c", command], { env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  return { seconds: (performance.now() - start) / 1000, out };
}

const maxRss = (out: string): number => (JSON.parse(out) as { maxRssMiB: number }).maxRssMiB;

/** One file of plain JavaScript, as in the release: what strips types takes memory of its own. */
async function program(name: string, folder: string): Promise<string> {
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
function writeCore(path: string, lengthBytes: number, dataBytes: number): void {
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

if (import.meta.main) {
  const line = await measureStore(Math.max(5, Number(process.argv[2] ?? 5)));
  console.log(JSON.stringify(line));
  process.exitCode = line.met ? 0 : 1;
}
