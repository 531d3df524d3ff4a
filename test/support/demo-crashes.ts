/** The crashes of `bin/demo`: `demo-crashes.ts FOLDER_OF_THE_HANDLER DUMPS [pod]`, under a core_pattern that calls it. */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { openCache } from "../../src/node/cache/cache.ts";
import { startEngine } from "./engines.ts";

const exec = promisify(execFile);
const [handlerFolder = "", dumpDir = "", ...more] = process.argv.slice(2);
const POD = {
  namespace: "shop",
  pod: "web-0",
  container: "nginx",
  attempt: 4,
  hostNetwork: false,
  uid: 1000,
  command: ["/bin/sh", "-c", 'echo "serving on :8080"; exec /bin/crash 16 4'],
};

/** As `install` would write it; the handler reads it at each crash. */
function configure(settings: Record<string, string>): void {
  const file = { "dump-dir": dumpDir, host: "keep", ...settings };
  writeFileSync(join(handlerFolder, "settings.json"), JSON.stringify(file), { mode: 0o600 });
}

async function crashOnHost(): Promise<void> {
  configure({});
  console.log("A shell of this machine kills itself with SIGSEGV …");
  await exec("sh", ["-c", "kill -s SEGV $$"]).catch(() => {});
}

async function crashInPod(): Promise<void> {
  console.log(
    `A program with 5 threads in namespace ${POD.namespace}, pod ${POD.pod}, container ${POD.container} reads a bad address …`,
  );
  await using engine = await startEngine("containerd-2");
  configure({ "cri-endpoint": engine.socket });
  const { exitCode } = await engine.run(POD);
  console.log(`containerd says that the container ended with ${exitCode} (128 + SIGSEGV)`);
  await settled(); // the handler still asks the engine
}

/** The crashed processes are gone already; their records are complete a moment later. @returns how many */
async function settled(): Promise<number> {
  for (let tries = 0; ; tries++) {
    const records = openCache(dumpDir, { create: true }).records();
    if (tries === 100 || records.every(({ state }) => state !== "Capturing")) return records.length;
    await sleep(100);
  }
}

const before = await settled();
await crashOnHost();
const inPod = more.includes("pod");
if (inPod) await crashInPod();
const caught = (await settled()) - before;
if (caught < (inPod ? 2 : 1)) {
  console.error(`error: ${caught} of the crashes left a dump; the kernel's log may say why (dmesg | tail)`);
  process.exitCode = 1;
}
