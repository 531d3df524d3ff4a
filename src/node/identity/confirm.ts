/** What the run-times' APIs say of a container, whichever knows it. */
import type { NodeSettings } from "../../config/options.ts";
import { reasonOf } from "../../domain/failures.ts";
import { CriRuntime } from "./cri.ts";
import { DockerRuntime } from "./docker.ts";
import { notItsOwn, owns } from "./own-cgroup.ts";
import { criSockets, dockerHosts } from "./places.ts";
import type { CgroupCandidate, ContainerFacts, ContainerRuntime } from "./runtime.ts";

export const runtimesOf = (settings: NodeSettings): ContainerRuntime[] => [
  ...criSockets(settings).map((socket) => new CriRuntime(socket)),
  ...dockerHosts(settings).map((host) => new DockerRuntime(host)),
];

export interface RuntimeAnswer {
  readonly facts: ContainerFacts;
  readonly candidate: CgroupCandidate;
  readonly source: ContainerRuntime["source"];
}

/**
 * Asks all run-times at once, for one candidate after the other; the first whose answer holds ends it.
 * @returns the answer, or why there is none: each failure in words. Never throws.
 */
export async function askRuntimes(
  candidates: readonly CgroupCandidate[],
  runtimes: readonly ContainerRuntime[],
  signal: AbortSignal,
): Promise<{ answer?: RuntimeAnswer; problems: string[] }> {
  const problems = new Set<string>();
  const failed = new Set<ContainerRuntime>(); // who hangs once would hang for each candidate
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  const stopped = abortOf(both); // an engine's client that is stuck must not hold us
  const ask = async (runtime: ContainerRuntime, candidate: CgroupCandidate): Promise<RuntimeAnswer> => {
    const facts = await Promise.race([runtime.inspect(candidate.id, both), stopped]).catch((error: unknown) => {
      failed.add(runtime);
      problems.add(both.aborted ? `Cannot ask ${runtime.address}: no answer in time` : reasonOf(error));
    });
    if (facts && !owns(facts, candidate)) problems.add(notItsOwn(facts, candidate));
    if (!facts || !owns(facts, candidate)) throw NO_ANSWER;
    return { facts, candidate, source: runtime.source };
  };
  try {
    for (const candidate of candidates) {
      const asked = runtimes.filter((runtime) => !failed.has(runtime)).map((runtime) => ask(runtime, candidate));
      const answer = await Promise.any(asked).catch(() => undefined);
      if (answer) return { answer, problems: [] };
    }
    return { problems: [...problems] };
  } finally {
    ended.abort();
  }
}

const NO_ANSWER = new Error("no answer");

function abortOf(signal: AbortSignal): Promise<never> {
  const aborted = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => {}); // there may be no waiter
  return aborted;
}
