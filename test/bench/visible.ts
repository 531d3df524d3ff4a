/** How long until the owner of a pod sees its crash: `kubectl get coredumps --watch` runs all the time. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { KUBECTL } from "../support/kubectl.ts";
import { withPattern } from "../support/pattern.ts";
import { TINY } from "./crashes.ts";
import { type Ours, until } from "./handlers.ts";
import { type CrashingPod, crashingPod } from "./node.ts";
import { type Times, times } from "./pairs.ts";

/** Seconds from the signal to the line on the screen. */
export async function visibleS(count: number, ours: Ours, folder: string): Promise<Times> {
  await using pod = await crashingPod(ours, folder);
  await using seen = watch(pod, join(folder, "kubectl"));
  const crash = pod.crash("/bin/crash", ...TINY);
  const seconds: number[] = [];
  for (let turn = 0; turn <= count; turn++) {
    const heldS = await withPattern(ours.pattern, crash);
    const crashedMs = performance.now() - heldS * 1000;
    await until(() => seen.atMs.length > turn, `crash ${turn} is not to be seen: ${pod.agent.said}`);
    seconds.push(((seen.atMs[turn] ?? Number.NaN) - crashedMs) / 1000);
  }
  return times(seconds.slice(1)); // from the second on all programs are in the page cache
}

/** When each new dump was on the screen first. */
function watch(
  { cluster, namespace }: CrashingPod,
  cache: string,
): AsyncDisposable & { readonly atMs: readonly number[] } {
  const atMs: number[] = [];
  const names = new Set<string>();
  const where = ["--kubeconfig", cluster.kubeconfig, "--cache-dir", cache, "--namespace", namespace];
  const args = [...where, "get", "coredumps", "--watch", "--no-headers"];
  const kubectl = spawn(KUBECTL, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(kubectl, "exit");
  kubectl.stdout.setEncoding("utf8").on("data", (text: string) => {
    for (const [, name = ""] of text.matchAll(/^(web-0-\S+) /gm)) {
      if (!names.has(name)) atMs.push(performance.now());
      names.add(name);
    }
  });
  return {
    atMs,
    async [Symbol.asyncDispose]() {
      kubectl.kill();
      await ended;
    },
  };
}
