/**
 * Whose is it: from the crashed process's cgroup to container, pod and namespace. At once from the run-times' state
 * files, while the process is held; then from their APIs, which confirm, and know the labels.
 */
import type { NodeSettings } from "../config/options.ts";
import { candidatesFrom, isHost, isOutermost } from "./cgroup.ts";
import { owns } from "./own-cgroup.ts";
import type { CgroupCandidate, ContainerFacts, Identification } from "./runtime.ts";
import { fromStateFiles, type StatePlaces, statePlaces } from "./state-files.ts";

const NOBODY = { container: null, pod: null, labels: null, logPath: null, documents: {} } as const;

/**
 * The owner as the state files on this node tell it: synchronous, under a millisecond, never throws.
 *
 * @param cgroup content of /proc/P/cgroup
 * @returns owner `host` when no cgroup names a container; `unknown`, with a problem stated, when none of the names could
 *          be followed or the file was empty
 */
export function identifyQuickly(
  cgroup: Uint8Array,
  settings: NodeSettings,
  places: StatePlaces = statePlaces(settings),
): Identification {
  const candidates = candidatesFrom(cgroup);
  const problems: string[] = [];
  for (const candidate of candidates) {
    const { facts, problems: found } = fromStateFiles(candidate.id, places);
    problems.push(...found);
    if (facts && owns(facts, candidate)) return identified(facts, candidate, "state-files");
    if (facts) problems.push(notItsOwn(facts, candidate));
  }
  if (isHost(cgroup)) return { ...NOBODY, owner: "host", identity: { ...NO_IDENTITY } };
  return unknown(candidates, problems);
}

const NO_IDENTITY = { source: "none", confirmed: false, problem: null, cgroup: null } as const;

function identified(
  facts: ContainerFacts,
  { path }: CgroupCandidate,
  source: Identification["identity"]["source"],
): Identification {
  const { cgroupPath: _, ...known } = facts;
  return { ...known, identity: { source, confirmed: false, problem: null, cgroup: path } };
}

/** The outermost name is the one that no container can have made up. */
function unknown(candidates: readonly CgroupCandidate[], problems: readonly string[]): Identification {
  const candidate = candidates.find(isOutermost);
  if (!candidate) {
    const problem = "The process's cgroup could not be read";
    return { ...NOBODY, owner: "unknown", identity: { ...NO_IDENTITY, problem } };
  }
  const { id, path } = candidate;
  const why = problems.length > 0 ? problems.join("; ") : `no state file on this node knows container ${short(id)}`;
  return {
    ...NOBODY,
    owner: "unknown",
    container: { runtime: "unknown", id, name: null, image: null, imageDigest: null, attempt: null },
    identity: { source: "none", confirmed: false, problem: `Cannot tell whose it is: ${why}`, cgroup: path },
  };
}

const notItsOwn = ({ cgroupPath, pod }: ContainerFacts, { id, path }: CgroupCandidate): string =>
  `${path} names container ${short(id)}, whose cgroup is another${cgroupPath ? `, ${cgroupPath}` : ""}${pod ? ` (pod ${pod.uid})` : ""}`;

const short = (id: string): string => id.slice(0, 12);
