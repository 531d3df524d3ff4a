/** Whether a crash becomes a Coredump: a process of ours in a pod dies of a signal, and its object is waited for. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { statusIn } from "../../cluster/policy/agent-status.ts";
import { AGENT_LEASE } from "../../cluster/policy/node-label.ts";
import { DumpError, reasonOf } from "../../domain/failures.ts";
import { isOver, type State } from "../../domain/states.ts";
import { type Coredump, coredumpsIn } from "../../kube/coredump.ts";
import { ifThere } from "../../kube/failures.ts";
import type { KubeHttp } from "../../kube/http.ts";
import { type Lease, leasePath } from "../../kube/lease.ts";
import { pause } from "../../system/backoff.ts";

interface Crashed {
  /** The agents' own, too. */
  readonly namespace: string;
  readonly pod: string;
  /** Where it runs, if that is known: its agent is then asked what is wrong. */
  readonly node?: string | undefined;
  /** The state that it is to reach. */
  readonly until: State;
  /** Why no dump will come, as soon as that is known. */
  readonly hopeless?: () => Promise<string | undefined>;
}

/** A program that says something on stdout when it is up, and waits until it is killed. */
type Victim = readonly [program: string, ...args: string[]];

const LOOK_MS = 500;
const ANSWER_MS = 5000;

/**
 * Crashes in this pod.
 * @param signal  when the patience is over
 * @returns the Coredump in that state
 * @throws DumpError DUMP_NOT_FOUND when none comes, DUMP_NOT_HELD when it comes to another end
 */
export async function crashTest(
  http: KubeHttp,
  crashed: Crashed,
  victim: Victim,
  signal: AbortSignal,
): Promise<Coredump> {
  const before = new Set((await dumpsOf(http, crashed)).map(({ metadata }) => metadata.uid));
  await crash(victim);
  return await awaitDump(http, crashed, signal, ({ metadata }) => !before.has(metadata.uid));
}

export async function crash([program, ...args]: Victim): Promise<void> {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  await once(child.stdout, "data"); // it is up
  const died = once(child, "exit");
  child.kill("SIGSEGV");
  await died;
}

/** As crashTest() for a process that crashes, or has crashed, by itself. */
export async function awaitDump(
  http: KubeHttp,
  crashed: Crashed,
  signal: AbortSignal,
  isIt: (dump: Coredump) => boolean = () => true,
): Promise<Coredump> {
  for (let last: Coredump | undefined; ; await pause(LOOK_MS, signal)) {
    last = (await dumpsOf(http, crashed)).find(isIt) ?? last;
    const state = last?.status?.state;
    if (last && isThere(state, crashed.until)) return last;
    const why = last ? undefined : await crashed.hopeless?.();
    if (why !== undefined || signal.aborted || isOver(state) || state === "Restricted")
      throw failure(last, crashed, why ?? (await agentSays(http, crashed)));
  }
}

/** What is Saved has been Allowed. */
const isThere = (state: State | undefined, until: State): boolean =>
  state === until || (state === "Saved" && until === "Allowed");

async function dumpsOf(http: KubeHttp, { namespace, pod }: Crashed): Promise<readonly Coredump[]> {
  const path = coredumpsIn(namespace);
  const { items } = await http.json<{ items: Coredump[] }>({ verb: "list", resource: "coredumps", path });
  return items.filter(({ spec }) => spec["pod"] === pod);
}

/** What is wrong with the node's agent, as its Lease has it; its namespace is the test's own. */
async function agentSays(http: KubeHttp, { namespace, node }: Crashed): Promise<string | undefined> {
  if (!node) return undefined;
  const path = leasePath(namespace, `${AGENT_LEASE}${node}`);
  const ask = { verb: "get", resource: "leases", path, signal: AbortSignal.timeout(ANSWER_MS) } as const;
  try {
    const lease = await ifThere(http.json<Lease>(ask));
    if (!lease) return `no agent has said that it serves node ${node}`;
    const { problems = [], store } = statusIn(lease.metadata.annotations) ?? {};
    const said = [...new Set([...problems, ...(store?.why === undefined ? [] : [store.why])])];
    return said.length === 0 ? undefined : `the agent of node ${node} says: ${said.join("; ")}`;
  } catch (error) {
    return `the agent's Lease cannot be read: ${reasonOf(error)}`;
  }
}

function failure(last: Coredump | undefined, { pod, until, node }: Crashed, why: string | undefined): DumpError {
  const because = why === undefined ? "" : `; ${why}`;
  if (!last)
    return new DumpError("DUMP_NOT_FOUND", `Cannot see the crash: no Coredump of pod ${pod} came${because}`, {
      hint: `See the log of the agent on ${node ? `node ${node}` : "this pod's node"}; there, coredump-detector doctor`,
    });
  const { state, message } = last.status ?? {};
  const said = message === undefined ? "" : `: ${message}`;
  const words = `Cannot see the dump ${until}: ${last.metadata.name} is ${state}${said}${because}`;
  return new DumpError("DUMP_NOT_HELD", words);
}
