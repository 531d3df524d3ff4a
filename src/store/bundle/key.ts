/**
 * Where a bundle lies in the store. Only keys of this grammar are ours; no other is ever served or deleted.
 *
 *   <namespace>/<pod uid>/<container>/<file>      a pod's
 *   _docker/<node>/<container>/<file>             a container's outside of pods
 *   _host/<node>/<file>                           a host process's
 *   _restricted/<any of these>                    of a process that was not dumpable, or perhaps not
 *   <file>: <executable>-<YYYYMMDDTHHMMSSmmmZ>-<host pid>-<short id>.tar.zst
 *
 * No namespace begins with `_` (RFC 1123), so no tenant's key is ever one of the other three. Two dumps never share a key:
 * the short id is theirs alone, and it always stands whole at the end.
 */
import { type DumpContainer, type DumpPod, type DumpRecord, isOrdinary } from "../../domain/dump.ts";
import { shortId } from "../../domain/id.ts";
import { printable } from "../../domain/text.ts";

/** What a key is made of; a Coredump object knows all of it, too. */
export interface KeyIdentity
  extends Pick<DumpRecord, "id" | "state" | "dumptime" | "hostPid" | "executable" | "node" | "owner" | "dumpable"> {
  readonly pod: Pick<DumpPod, "namespace" | "uid"> | null;
  readonly container: Pick<DumpContainer, "id" | "name"> | null;
}

const SUFFIX = ".tar.zst";
/** DNS labels, uids and container ids fit whole. */
const MAX_PART = 64;
/** With the rest of it, and what a directory store puts around it, a file name stays below 255 bytes. */
const MAX_EXECUTABLE = 128;
/** What a Coredump says in the place of a name that is not known. */
const UNKNOWN = "unknown";

/** What a Coredump says of the dump's identity: all of it immutable, and written by none but us. */
export interface CoredumpIdentity {
  readonly id: string;
  readonly dumptime: string;
  readonly pid: number;
  readonly filename: string;
  /** The pod's. */
  readonly uid: string;
  readonly containerName: string;
  readonly node: string;
}

/** Where the bundle of a Coredump lies: by the namespace that it is in and its spec, never by a key that stands in it. */
export const keyOfCoredump = (namespace: string, spec: CoredumpIdentity): string =>
  keyOf({
    ...spec,
    state: "Saved",
    dumpable: 1, // of others there is no bundle in a namespace's place
    owner: "pod",
    hostPid: spec.pid,
    executable: spec.filename,
    pod: { namespace, uid: spec.uid },
    container: { id: "", name: spec.containerName },
  });

/**
 * Names in lower case with hyphens, as Kubernetes makes them, stay as they are; so do most others. The executable's is taken
 * as its Coredump says it, so that a record and its Coredump give the same key.
 */
export function keyOf(dump: KeyIdentity): string {
  const file = `${part(printable(dump.executable) || UNKNOWN, MAX_EXECUTABLE)}-${stamp(dump.dumptime)}-${pid(dump.hostPid)}-${shortId(dump.id)}${SUFFIX}`;
  return [...(isRestricted(dump) ? ["_restricted"] : []), ...place(dump), file].join("/");
}

/** Not dumpable (`%d` ≠ 1), or that is not known: memory that only root may read. */
export const isRestricted = (dump: Pick<KeyIdentity, "state" | "dumpable">): boolean =>
  dump.state === "Restricted" || !isOrdinary(dump);

function place({ owner, pod, container, node }: KeyIdentity): string[] {
  if (owner === "pod" && pod)
    return [part(pod.namespace).replace(/^_/, "x"), part(pod.uid), part(container?.name ?? UNKNOWN)];
  const name = part(container?.name ?? container?.id ?? "");
  return owner === "host" ? ["_host", part(node)] : ["_docker", part(node), name];
}

/** One part of a path from any text: never empty, never hidden, never `.` or `..`. */
function part(text: string, length = MAX_PART): string {
  const safe = text.replace(/[^A-Za-z0-9._-]/gu, "_").slice(0, length);
  return safe.replace(/^[^A-Za-z0-9]/, "_") || "_";
}

/** The digits of an ISO time in UTC; a mangled record has the epoch's. */
const stamp = (iso: string): string =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(iso) ? iso.replace(/[-:.]/g, "") : "19700101T000000000Z";

const pid = (number: number): number => (Number.isSafeInteger(number) && number >= 0 ? number : 0);

type ParsedKey = KeyFile &
  (
    | { readonly kind: "pod"; readonly namespace: string; readonly podUid: string; readonly container: string }
    | { readonly kind: "docker"; readonly node: string; readonly container: string }
    | { readonly kind: "host"; readonly node: string }
  );

interface KeyFile {
  readonly restricted: boolean;
  readonly executable: string;
  readonly time: Date;
  readonly hostPid: number;
  readonly shortId: string;
}

const PART = "[A-Za-z0-9_][A-Za-z0-9._-]{0,63}";
const FILE =
  "(?<executable>[A-Za-z0-9_][A-Za-z0-9._-]{0,127})-(?<time>\\d{8}T\\d{9}Z)-(?<hostPid>\\d{1,16})-(?<shortId>[0-9a-f]{12})";
const KEY = new RegExp(
  `^(?<restricted>_restricted/)?(?:_host/(?<host>${PART})|_docker/(?<docker>${PART})/(?<its>${PART})` +
    `|(?<namespace>(?!_)${PART})/(?<podUid>${PART})/(?<container>${PART}))/${FILE}${SUFFIX.replaceAll(".", "\\.")}$`,
);

/** What a key says, or undefined when it is none of ours. */
export function parseKey(key: string): ParsedKey | undefined {
  const { restricted, host, docker, its, namespace, podUid, container, executable, time, hostPid, shortId } =
    KEY.exec(key)?.groups ?? {};
  const date = new Date((time ?? "").replace(/^(....)(..)(..)T(..)(..)(..)(...)Z$/, "$1-$2-$3T$4:$5:$6.$7Z"));
  if (Number.isNaN(date.getTime()) || stamp(date.toISOString()) !== time) return undefined; // no key, or of a 31st of June
  const of = { executable: executable ?? "", hostPid: Number(hostPid), shortId: shortId ?? "" };
  const file = { ...of, restricted: restricted !== undefined, time: date };
  if (host !== undefined) return { ...file, kind: "host", node: host };
  if (docker !== undefined) return { ...file, kind: "docker", node: docker, container: its ?? "" };
  return { ...file, kind: "pod", namespace: namespace ?? "", podUid: podUid ?? "", container: container ?? "" };
}
