/** Why the owner of a dump cannot have its core, and what to do about it: the same words in the API server and in kubectl. */
import { DumpError, type FailureCode } from "./failures.ts";
import { type Stage, traitsOf } from "./states.ts";
import { MAX_SIZE_ANNOTATION, OPT_OUT_LABEL } from "./wishes.ts";

/** What the words need of a Coredump. Any field may be missing, and a state may be of a later version. */
interface AskedDump {
  readonly metadata: { readonly name: string; readonly namespace?: string | undefined };
  readonly spec: { readonly node?: string; readonly id?: string };
  readonly status?: { readonly state?: string; readonly reason?: string; readonly message?: string };
}

const CODES: Readonly<Record<Stage, FailureCode | undefined>> = {
  arriving: "DUMP_NOT_READY",
  undecided: "DUMP_NOT_READY",
  allowed: "DUMP_NOT_READY",
  restricted: "DUMP_RESTRICTED",
  stored: undefined,
  dropped: "DUMP_NOT_HELD",
  lost: "DUMP_NOT_HELD",
};

/** @returns undefined when there is nothing against it */
export function refusalOf({ metadata, spec, status = {} }: AskedDump): DumpError | undefined {
  const { name, namespace = "" } = metadata;
  const { reason, message } = status;
  const state = reason === "NotDumpable" ? "Restricted" : status.state;
  if (state === undefined) return notYet(name, "it is being registered", "Try again soon");
  const traits = traitsOf(state);
  if (!traits) return unknownState(name, state);
  const code = CODES[traits.stage];
  const why = message || traits.why;
  const node = spec.node === undefined ? "its node" : `node ${spec.node}`;
  if (code === "DUMP_NOT_READY")
    return notYet(name, why, `kubectl coredump list -w -n ${namespace} shows when it is Saved`);
  if (code === "DUMP_RESTRICTED")
    return new DumpError(code, `Cannot get the core of ${name}: ${why}`, {
      hint: `Root of ${node} can read it: coredump-detector dump ${spec.id?.slice(-12) ?? "ID"}`,
    });
  return (
    code &&
    new DumpError(code, `The core of ${name} was not kept: ${why}`, {
      hint: adviceFor(reason ?? (state === "Denied" ? "OverQuota" : ""), namespace, node),
    })
  );
}

const notYet = (name: string, why: string, hint: string): DumpError =>
  new DumpError("DUMP_NOT_READY", `Cannot get the core of ${name} yet: ${why}`, { hint });

const unknownState = (name: string, state: string): DumpError =>
  new DumpError(
    "DUMP_NOT_HELD",
    `Cannot get the core of ${name}: this program does not know the state ${JSON.stringify(state)}`,
    { hint: "kubectl coredump version shows its version; the cluster may have a later one" },
  );

/** What would let the next crash of its kind leave a core. */
const ADVICE: Readonly<Record<string, (namespace: string, node: string) => string>> = {
  OverQuota: (namespace) =>
    `kubectl get coredumpquotas -n ${namespace} shows what may be held and what is; delete dumps you no longer need, or ask for a larger quota`,
  OptedOut: () => `Without the label ${OPT_OUT_LABEL} on the pod and its namespace the next crash is captured`,
  TooBig: (namespace, node) =>
    `Raise the annotation ${MAX_SIZE_ANNOTATION} if namespace ${namespace} has it; else ask who runs ${node} for a larger --max-dump-size`,
  NoRoom: (_, node) => moreRoomOn(node),
  MadeRoom: (_, node) => moreRoomOn(node),
  NothingReceived: (_, node) => inLogOf(node),
  KernelGaveUp: (_, node) => inLogOf(node),
};

const moreRoomOn = (node: string): string =>
  `Ask who runs ${node} for more room there (--cache-size, --cache-share, --namespace-disk-quota), so that the next one is kept`;
const inLogOf = (node: string): string => `The kernel's log of ${node} may say why: journalctl -k`;

function adviceFor(reason: string, namespace: string, node: string): string {
  const advice = Object.hasOwn(ADVICE, reason) ? ADVICE[reason] : undefined;
  return advice?.(namespace, node) ?? "Nothing of it is left but this record";
}
