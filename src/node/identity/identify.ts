/**
 * Whose is it: from the crashed process's cgroup to container, pod and namespace. At once from the run-times' state
 * files, while the process is held; then from their APIs, which confirm it and know the labels.
 */
import type { NodeSettings } from "../../config/options.ts";
import type { DumpPod } from "../../domain/dump.ts";
import { candidatesFrom, isOutermost, namesNoContainer, ownCgroup } from "./cgroup.ts";
import type { RuntimeAnswer } from "./confirm.ts";
import { type HostPlace, placeOf } from "./host.ts";
import { notItsOwn, owns } from "./own-cgroup.ts";
import type { CgroupCandidate, ContainerFacts, ContainerRuntime, Identification } from "./runtime.ts";
import { fromStateFiles, type StatePlaces, statePlaces } from "./state-files.ts";

/** However patient the caller is: an engine that hangs must not keep a handler for ever. */
const MAX_API_MS = 10_000;

const NOBODY = { container: null, pod: null, labels: null, logPath: null, documents: {} } as const;
const NO_IDENTITY = { source: "none", confirmed: false, problem: null, cgroup: null } as const;

/**
 * The owner as the state files on this node tell it: synchronous, under a millisecond, never throws.
 *
 * @param cgroup content of /proc/P/cgroup
 * @param place   what its namespaces say; without them a process whose cgroup names no container counts as the host's
 * @returns owner `host` when no cgroup names a container and the process is in none; `unknown`, with a problem stated, when
 *          none of the names could be followed, no engine has given one, or the file was empty
 */
export function identifyQuickly(
  cgroup: Uint8Array,
  settings: NodeSettings,
  places: StatePlaces = statePlaces(settings),
  place: HostPlace = { isHost: true, cgroup: ownCgroup(cgroup) },
): Identification {
  const candidates = candidatesFrom(cgroup);
  const problems: string[] = [];
  for (const candidate of candidates) {
    const { facts, problems: found } = fromStateFiles(candidate.id, places);
    problems.push(...found);
    if (facts && owns(facts, candidate)) return quickAnswer(facts, candidate);
    if (facts) problems.push(notItsOwn(facts, candidate));
  }
  if (namesNoContainer(cgroup)) return unnamed(place);
  return unknown(candidates, problems);
}

/** The same with all that /proc says: its cgroup and its namespaces. @param mounts  see placeOf() */
export const identifyProcess = (
  facts: ReadonlyMap<string, Buffer>,
  settings: NodeSettings,
  mounts: readonly string[] | undefined,
  places?: StatePlaces,
): Identification => identifyQuickly(facts.get("cgroup") ?? Buffer.alloc(0), settings, places, placeOf(facts, mounts));

function quickAnswer({ cgroupPath: _, ...known }: ContainerFacts, { path }: CgroupCandidate): Identification {
  return { ...known, identity: { source: "state-files", confirmed: false, problem: null, cgroup: path } };
}

/** No engine's name is in the cgroup: a process of the host, or of a container that was made without one. */
const unnamed = ({ isHost, cgroup }: HostPlace): Identification =>
  isHost
    ? { ...NOBODY, owner: "host", identity: { ...NO_IDENTITY, cgroup } }
    : { ...NOBODY, owner: "unknown", identity: { ...NO_IDENTITY, problem: "no engine names its container", cgroup } };

/** The outermost name is the one that no container can have made up. */
function unknown(candidates: readonly CgroupCandidate[], problems: readonly string[]): Identification {
  const candidate = candidates.find(isOutermost);
  if (!candidate) {
    const problem = "Cannot tell whose it is: the process's cgroup could not be read";
    return { ...NOBODY, owner: "unknown", identity: { ...NO_IDENTITY, problem } };
  }
  const { id, path } = candidate;
  const why =
    problems.length > 0 ? problems.join("; ") : `no state file on this node knows container ${id.slice(0, 12)}`;
  return {
    ...NOBODY,
    owner: "unknown",
    container: { runtime: "unknown", id, name: null, image: null, imageDigest: null, attempt: null },
    identity: { ...NO_IDENTITY, problem: `Cannot tell whose it is: ${why}`, cgroup: path },
  };
}

/**
 * The owner as the run-times' APIs tell it, with labels, log and documents. The API wins over the state files; where it
 * names another pod, the problem says so and the answer stays unconfirmed. When there is no answer, the quick answer comes
 * back with the reason. Never throws: an aborted signal is one of those reasons.
 */
export async function identifyByApi(
  quick: Identification,
  cgroup: Uint8Array,
  settings: NodeSettings,
  signal: AbortSignal,
  runtimes?: readonly ContainerRuntime[],
): Promise<Identification> {
  const candidates = candidatesFrom(cgroup);
  if (candidates.length === 0) return quick;
  const { askRuntimes, runtimesOf } = await import("./confirm.ts");
  const asked = runtimes ?? runtimesOf(settings);
  const limited = AbortSignal.any([signal, AbortSignal.timeout(MAX_API_MS)]);
  const { answer, problems } = await askRuntimes(candidates, asked, limited);
  if (answer) return confirmed(quick, answer);
  if (asked.length === 0) problems.push("no engine's socket was found on this node");
  if (problems.length === 0) problems.push(`no engine on this node knows container ${candidates[0]?.id.slice(0, 12)}`);
  // A later try must not repeat what the earlier one said.
  const reasons = new Set([...(quick.identity.problem?.split("; ") ?? []), ...problems]);
  return { ...quick, identity: { ...quick.identity, problem: [...reasons].join("; ") } };
}

function confirmed(quick: Identification, { facts, candidate, source }: RuntimeAnswer): Identification {
  const contradiction = contradictionOf(quick, facts);
  const { cgroupPath: _, ...known } = facts;
  return {
    ...known,
    logPath: facts.logPath ?? (contradiction ? null : quick.logPath),
    identity: { source, confirmed: contradiction === null, problem: contradiction, cgroup: candidate.path },
  };
}

/** The state files and the API disagree: one of them was tampered with, or the one was restored and the other not. */
function contradictionOf(quick: Identification, facts: ContainerFacts): string | null {
  if (quick.owner === "unknown" || quick.owner === "host") return null;
  const [before, now] = [ownerText(quick.pod, quick.container?.id), ownerText(facts.pod, facts.container.id)];
  return before === now ? null : `The state files named ${before}, the run-time names ${now}`;
}

const ownerText = (pod: DumpPod | null, containerId: string | undefined): string =>
  `container ${containerId?.slice(0, 12)} of ${pod ? `pod ${pod.namespace}/${pod.name} (${pod.uid})` : "no pod"}`;
