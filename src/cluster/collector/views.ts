/** What the collector keeps of the objects that it follows: little, for there may be many thousands. */
import { shortId } from "../../domain/id.ts";
import type { Coredump } from "../../kube/coredump.ts";
import type { Mirrored } from "../../kube/mirror.ts";
import type { KubeObject } from "../../kube/objects.ts";
import { dumpOf } from "../policy/retention.ts";
import type { EndpointView, NamespaceView, RecordView } from "../policy/retention-world.ts";
import { MISSING } from "../retention/coredumps.ts";

export interface EndpointObject extends KubeObject {
  readonly spec?: { readonly poduid?: string; readonly namespaceuid?: string };
}

export interface PodMirrored extends Mirrored {
  /** Its owner wants an endpoint. */
  readonly isAuto: boolean;
}

/** The predecessor's label. */
const AUTO = { label: "coredumpendpoint", value: "auto" };

export const namespaceView = ({ metadata }: KubeObject): Mirrored & NamespaceView => ({
  ...mirrored({ ...metadata, namespace: "" }),
  createdMs: Date.parse(metadata.creationTimestamp ?? "") || 0,
  isGoing: metadata.deletionTimestamp !== undefined,
});

export const podView = ({ metadata }: KubeObject): PodMirrored => ({
  ...mirrored(metadata),
  isAuto: metadata.labels?.[AUTO.label] === AUTO.value && metadata.deletionTimestamp === undefined,
});

export function recordView({ metadata, spec, status }: Coredump): Mirrored & RecordView {
  const { id, uid: podUid, namespaceUid } = spec;
  const stored = status?.conditions?.find(({ type }) => type === "Stored");
  return {
    ...mirrored(metadata),
    dump: id && podUid ? dumpOf(metadata.namespace ?? "", podUid, shortId(id)) : "",
    podUid: podUid ?? "",
    namespaceUid,
    state: status?.state ?? "",
    sinceMs: Date.parse(metadata.creationTimestamp ?? "") || Date.now(),
    isMissing: stored?.reason === MISSING,
  };
}

export const endpointView = ({ metadata, spec }: EndpointObject): Mirrored & EndpointView => ({
  ...mirrored(metadata),
  podUid: spec?.poduid ?? "",
  namespaceUid: spec?.namespaceuid,
});

function mirrored({ name, namespace = "", uid, resourceVersion }: KubeObject["metadata"]): Mirrored {
  return { name, namespace, uid, resourceVersion };
}
