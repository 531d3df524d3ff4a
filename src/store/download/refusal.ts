import type { State } from "../../domain/dump.ts";
import { DumpError, type FailureCode } from "../../domain/failures.ts";
import type { Coredump } from "../../kube/coredump.ts";

type RefusalWords = readonly [code: FailureCode, why: string, hint?: string];

const BUSY = "it is stored by the node's agent when it can be; ask again";
const GONE = "nothing of it is left but this record";
const OTHERS = "only the node's administrators can read the memory of a process that was not dumpable";

/** Why a dump in this state has no bytes for its owner; `why` gives way to what the object itself says. */
const BY_STATE: Readonly<Record<Exclude<State, "Saved">, RefusalWords>> = {
  Capturing: ["DUMP_NOT_READY", "it is still being captured", "ask again in a moment"],
  Captured: ["DUMP_NOT_READY", "it is not registered yet", "ask again in a moment"],
  Created: ["DUMP_NOT_READY", "it waits for the quota's decision", "ask again in a moment; the controller decides"],
  Allowed: ["DUMP_NOT_READY", "it is not stored yet", BUSY],
  FailedToSave: ["DUMP_NOT_READY", "it could not be stored yet", BUSY],
  Restricted: ["DUMP_RESTRICTED", "the process was not dumpable", OTHERS],
  Denied: [
    "DUMP_NOT_HELD",
    "the quota denied it",
    "kubectl get coredumpquotas; delete dumps you no longer need, or ask for a larger quota",
  ],
  Refused: ["DUMP_NOT_HELD", "the node refused it", GONE],
  Evicted: ["DUMP_NOT_HELD", "it made room for newer ones on the node", GONE],
  Deleted: ["DUMP_NOT_HELD", "it was deleted", GONE],
  Lost: ["DUMP_NOT_HELD", "the kernel gave nothing", GONE],
};

/** Why this dump cannot be downloaded, and what its owner can do about it; undefined when it can. */
export function refusalOf({ metadata, status = {} }: Coredump): DumpError | undefined {
  const { state, reason, message } = status;
  if (state === "Saved") return undefined;
  const isRestricted = reason === "NotDumpable";
  const known: RefusalWords = BY_STATE[isRestricted ? "Restricted" : (state ?? "Capturing")] ?? BY_STATE.Capturing;
  const [code, why, hint] = known;
  const verb =
    code === "DUMP_NOT_HELD" ? "was not kept" : code === "DUMP_NOT_READY" ? "is not there yet" : "is not served";
  return new DumpError(code, `Cannot serve the core of ${metadata.name}: it ${verb}: ${message ?? why}`, {
    ...(hint !== undefined && { hint }),
  });
}
