/** The crashes of `bin/demo`: `demo-crashes.ts FOLDER_OF_THE_HANDLER DUMPS [pod]`, under a core_pattern that calls it. */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { openCache } from "../../src/cache/cache.ts";
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

/** The crashed processes are gone already; their records are complete a moment later. */
async function settled(): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (
      openCache(dumpDir, { create: true })
        .records()
        .every(({ state }) => state !== "Capturing")
    )
      return;
    await sleep(100);
  }
}

await crashOnHost();
if (more.includes("pod")) await crashInPod();
await settled();
