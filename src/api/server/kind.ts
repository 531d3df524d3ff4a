/** The kind that we serve: its names, and its fields as data, from which decoding, OpenAPI and Table all derive. */
import { LIST_META, META, type ObjectMeta } from "./meta.ts";
import type { Schema } from "./schema.ts";

export const GROUP = "coredump.fujitsu.com";
export const VERSION = "v1alpha1";
export const GROUP_VERSION = `${GROUP}/${VERSION}`;
export const KIND = "CoredumpEndpoint";
export const LIST_KIND = `${KIND}List`;
export const RESOURCE = "coredumpendpoints";
/** Of the other version, which custom resources serve; here it has but one sub-resource, its bytes. */
export const DUMPS = "coredumps";

export interface CoredumpEndpoint {
  readonly apiVersion: typeof GROUP_VERSION;
  readonly kind: typeof KIND;
  readonly metadata: ObjectMeta;
  readonly spec: EndpointSpec;
  readonly status?: EndpointStatus;
}

interface EndpointSpec {
  readonly podname?: string;
  readonly poduid: string;
  readonly namespaceuid: string;
}

interface EndpointStatus {
  readonly message?: string;
  readonly conditions?: readonly Readonly<Record<string, unknown>>[];
}

const SPEC: Schema = {
  type: "object",
  description: "Whose core dumps.",
  properties: {
    podname: { type: "string", description: "Name of the pod. Default: that of this object." },
    poduid: {
      type: "string",
      description:
        "UID of the pod, which may be gone. Default: that of the running pod of the name. It does not change any more.",
    },
    namespaceuid: {
      type: "string",
      description:
        "UID of the namespace in which this was made, filled in by the server. Another one of its name inherits nothing.",
    },
  },
};

const CONDITION: Schema = {
  type: "object",
  description: "A condition, as in metav1.Condition.",
  required: ["type", "status"],
  properties: {
    type: { type: "string", description: "Its name, in CamelCase." },
    status: { type: "string", description: "True, False or Unknown." },
    reason: { type: "string", description: "Why it is so, in one CamelCase word." },
    message: { type: "string", description: "Why it is so, in a sentence." },
    lastTransitionTime: { type: "string", format: "date-time", description: "When the status last changed." },
    observedGeneration: { type: "integer", format: "int64", description: "The generation that it was said of." },
  },
};

const STATUS: Schema = {
  type: "object",
  description: "What has become of it.",
  properties: {
    message: { type: "string", description: "One sentence for people." },
    conditions: { type: "array", description: "Conditions.", items: CONDITION },
  },
};

const TYPE = {
  apiVersion: { type: "string", description: `${GROUP_VERSION}.` },
  kind: { type: "string", description: "The kind of this object." },
} as const satisfies Record<string, Schema>;

export const ENDPOINT: Schema = {
  type: "object",
  description:
    "The core dumps of one pod, also when it is gone: its sub-resource dump is a tar of them, of one container (?container=) or of all.",
  properties: { ...TYPE, metadata: META, spec: SPEC, status: STATUS },
};

export const ENDPOINT_LIST: Schema = {
  type: "object",
  description: "A list of CoredumpEndpoints.",
  required: ["items"],
  properties: { ...TYPE, metadata: LIST_META, items: { type: "array", items: ENDPOINT, description: "The objects." } },
};
