/** A gigabyte that crashes in a pod, until its bundle is verified in the store, against `zstd -1 | AWS SDK` of the same core. */
import { copyFileSync, globSync, linkSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withPattern } from "../support/pattern.ts";
import { type S3, startS3 } from "../support/s3.ts";
import { type Crash, MIXED_HEAP, PYTHON } from "./crashes.ts";
import { type Ours, until } from "./handlers.ts";
import { memoryMiB } from "./idle.ts";
import { type CrashingPod, crashingPod } from "./node.ts";
import { type Compared, inTurn } from "./pairs.ts";
import { compiled } from "./programs.ts";
import { program, run } from "./store.ts";

export interface Uploaded extends Compared {
  readonly agentMaxRssMiB: number;
}

export async function upload(count: number, ours: Ours, folder: string): Promise<Uploaded> {
  await using s3 = await startS3();
  await using pod = await crashingPod(ours, folder, "--admission=all", ...storeFlags(s3, join(folder, "keys")));
  copyFileSync(compiled("warm"), join(folder, "pod/warm"));
  writeFileSync(join(folder, "pod/heap.py"), MIXED_HEAP);
  const crash = pod.crash("/bench/warm", "1300", PYTHON, "/bench/heap.py");
  const core = join(folder, "core");
  const first = savedS(ours, pod, crash);
  await until(() => linked(ours, core), "there is no core");
  await first;
  const base = `zstd -q -1 -c '${core}' | '${process.execPath}' '${await program("aws-upload", folder)}'`;
  const baseS = () => run(s3, `${base} '${s3.endpoint}' '${s3.bucket}' base`).seconds;
  baseS();
  const compared = await inTurn(
    count,
    () => savedS(ours, pod, crash),
    async () => baseS(),
  );
  return { ...compared, agentMaxRssMiB: memoryMiB(pod.agent.pid, "VmHWM") };
}

/** @param keys folder to be made: secrets are never given by a flag */
export function storeFlags({ endpoint, bucket, accessKey, secretKey }: S3, keys: string): string[] {
  mkdirSync(keys);
  writeFileSync(join(keys, "access-key"), accessKey);
  writeFileSync(join(keys, "secret-key"), secretKey);
  return [`--store=s3://${bucket}`, `--s3-endpoint=${endpoint}`, `--s3-credentials-dir=${keys}`];
}

/** From the signal on. */
async function savedS(ours: Ours, { agent }: CrashingPod, crash: Crash): Promise<number> {
  const before = new Set(ours.records().map(({ id }) => id));
  const heldS = await withPattern(ours.pattern, crash);
  const crashedMs = performance.now() - heldS * 1000;
  const isSaved = () => ours.records().some(({ id, state }) => state === "Saved" && !before.has(id));
  await until(isSaved, `the bundle is not in the store: ${agent.said}`);
  return (performance.now() - crashedMs) / 1000;
}

/** The core under a name of its own, before the agent drops it. */
function linked(ours: Ours, path: string): boolean {
  const [core] = globSync(join(ours.cache, "*/core"));
  if (core === undefined) return false;
  rmSync(path, { force: true });
  linkSync(core, path);
  return true;
}
