/** Whether a crash becomes a Coredump: a process of ours in this pod dies of a signal, and its object is waited for. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { State } from "../domain/dump.ts";
import { DumpError } from "../domain/failures.ts";
import { pause } from "../kube/backoff.ts";
import type { KubeHttp } from "../kube/http.ts";
import { COREDUMP_API, collection } from "../kube/objects.ts";
import type { Coredump } from "../registration/coredump.ts";

export interface CrashTest {
  readonly namespace: string;
  readonly pod: string;
  /** A program that waits until it is killed. */
  readonly victim: readonly [program: string, ...args: string[]];
  /** The state that it is to reach. */
  readonly until: State;
}

const LOOK_MS = 500;
/** States that are not left any more. */
const FINAL: ReadonlySet<string> = new Set(["Saved", "Denied", "Refused", "Restricted", "Evicted", "Deleted", "Lost"]);

/**
 * @param signal when the patience is over
 * @returns the Coredump in that state
 * @throws DumpError DUMP_NOT_FOUND when none comes, DUMP_NOT_HELD when it comes to another end
 */
export async function crashTest(http: KubeHttp, test: CrashTest, signal: AbortSignal): Promise<Coredump> {
  const before = new Set((await dumpsOf(http, test)).map(({ metadata }) => metadata.uid));
  await crash(test.victim);
  for (let last: Coredump | undefined; ; await pause(LOOK_MS, signal)) {
    last = (await dumpsOf(http, test)).find(({ metadata }) => !before.has(metadata.uid)) ?? last;
    const state = last?.status?.state;
    if (last && state === test.until) return last;
    if (signal.aborted || FINAL.has(state ?? "")) throw failure(last, test);
  }
}

async function crash([program, ...args]: CrashTest["victim"]): Promise<void> {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  await once(child.stdout, "data"); // it is up
  const died = once(child, "exit");
  child.kill("SIGSEGV");
  await died;
}

async function dumpsOf(http: KubeHttp, { namespace, pod }: CrashTest): Promise<readonly Coredump[]> {
  const path = collection(COREDUMP_API, "coredumps", namespace);
  const { items } = await http.json<{ items: Coredump[] }>({ verb: "list", resource: "coredumps", path });
  return items.filter(({ spec }) => spec["pod"] === pod);
}

function failure(last: Coredump | undefined, { pod, until }: CrashTest): DumpError {
  if (!last)
    return new DumpError("DUMP_NOT_FOUND", `Cannot see the crash: no Coredump of pod ${pod} came`, {
      hint: "See the log of the agent on this pod's node; there, coredump-detector doctor",
    });
  const { state, message } = last.status ?? {};
  const said = message === undefined ? "" : `: ${message}`;
  return new DumpError("DUMP_NOT_HELD", `Cannot see the dump ${until}: ${last.metadata.name} is ${state}${said}`);
}
