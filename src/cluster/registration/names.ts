/** Names that the API server takes, made of names that crashed processes chose. */
import { type DumpRecord, isOrdinary } from "../../domain/dump.ts";
import { shortId } from "../../domain/id.ts";
import { LABELS, labelValue } from "../../kube/labels.ts";

/** DNS-1123 allows an object more; a label's length lets the name stand in labels, host names and file names too. */
const NAME_LENGTH = 63;
const EXECUTABLE_LENGTH = 20;

/** `<pod>-<executable>-<short id>`: valid for any input, and distinguished by the short id, which is random. */
export function objectName({ pod, executable, id }: Pick<DumpRecord, "pod" | "executable" | "id">): string {
  const what = dnsPart(executable, EXECUTABLE_LENGTH);
  const end = [what, shortId(id)].filter(Boolean).join("-");
  const who = dnsPart(pod?.name ?? "", NAME_LENGTH - end.length - 1);
  return [who, end].filter(Boolean).join("-");
}

function dnsPart(text: string, length: number): string {
  const plain = text.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return plain.replace(/^-/, "").slice(0, length).replace(/-$/, "");
}

/** By which `kubectl get coredumps -l` finds them. */
export const labelsOf = ({ id, pod, container, node, executable, ...more }: DumpRecord): Record<string, string> => ({
  [LABELS.id]: id,
  [LABELS.podUid]: labelValue(pod?.uid),
  [LABELS.container]: labelValue(container?.name),
  [LABELS.node]: labelValue(node),
  [LABELS.executable]: labelValue(executable),
  ...(more.crash?.fingerprint && isOrdinary(more) && { [LABELS.crash]: labelValue(more.crash.fingerprint) }),
});
