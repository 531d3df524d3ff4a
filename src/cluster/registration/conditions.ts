/** What one asks of a dump, each with a yes, a no or a not yet. */
import type { DumpDelivery, DumpRecord } from "../../domain/dump.ts";
import { isOnItsWay } from "../../domain/states.ts";
import { printable } from "../../domain/text.ts";
import type { Condition } from "../../kube/objects.ts";

type Answer = Required<Omit<Condition, "type" | "lastTransitionTime">>;

/** @param before those of the object so far: the time of the last change stays while the answer does */
export function conditionsOf(record: DumpRecord, before: readonly Condition[], now: Date): Condition[] {
  const answers = {
    Captured: captured(record),
    Identified: identified(record),
    Stored: stored(record),
    Complete: complete(record),
    ...(record.delivery && { Delivered: delivered(record.delivery) }),
  };
  return Object.entries(answers).map(([type, answer]) => {
    const same = before.find((each) => each.type === type && each.status === answer.status);
    return { type, ...answer, lastTransitionTime: same?.lastTransitionTime ?? now.toISOString() };
  });
}

/** Whether an object's conditions say of the delivery what the record does. */
export function isDeliveryTold(record: DumpRecord, told: readonly Condition[]): boolean {
  const [before, now] = [told, conditionsOf(record, [], new Date(0))].map((conditions) => {
    const found = conditions.find(({ type }) => type === "Delivered");
    return found && [found.status, found.reason, found.message].join("\n");
  });
  return before === now;
}

function captured({ state, core, reason, message }: DumpRecord): Answer {
  if (state === "Capturing") return { status: "Unknown", reason: "InProgress", message: "bytes are coming in" };
  if ((core.sizeBytes ?? 0) > 0) return { status: "True", reason: "Captured", message: "" };
  return { status: "False", reason: reason ?? state, message: message ?? "" };
}

function identified({ identity }: DumpRecord): Answer {
  if (identity.confirmed) return { status: "True", reason: "ConfirmedByRuntime", message: "" };
  return { status: "True", reason: "StateFiles", message: (identity.problem ?? "").slice(0, 4000) };
}

function stored({ state, message, reason }: DumpRecord): Answer {
  if (state === "Saved") return { status: "True", reason: "Verified", message: "" };
  if (isOnItsWay(state) && state !== "FailedToSave") return { status: "Unknown", reason: "Waiting", message: "" };
  return { status: "False", reason: reason ?? state, message: (message ?? "").slice(0, 4000) };
}

function complete({ core }: DumpRecord): Answer {
  if (core.complete === null) return { status: "Unknown", reason: "NotKnown", message: "" };
  if (core.complete) return { status: "True", reason: "ExpectedSizeReached", message: "" };
  const cause = core.truncation ?? "unknown";
  const word = cause.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return {
    status: "False",
    reason: word,
    message: `${core.sizeBytes ?? 0} of ${core.expectedBytes ?? "unknown"} bytes`,
  };
}

/** Asked only where the pod names a claim of its own. */
function delivered({ state, claim, reason, message }: DumpDelivery): Answer {
  if (state === "Pending" && reason === null)
    return { status: "Unknown", reason: "Waiting", message: `for claim ${claim}` };
  const more = state === "Pending" ? "; it will be tried again" : "";
  const text = `claim ${claim}: ${printable(message ?? "")}${more}`;
  return { status: state === "Delivered" ? "True" : "False", reason: reason ?? state, message: text.slice(0, 4000) };
}
