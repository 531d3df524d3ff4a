/** The kind that we serve: its names, and its fields as data, from which decoding, OpenAPI and Table all derive. */
import { LIST_META, META, type ObjectMeta } from "./meta.ts";
import { type Schema, text, time, whole } from "./schema.ts";

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
    podname: text("Name of the pod. Default: that of this object."),
    poduid: text(
      "UID of the pod, which may be gone. Default: that of the running pod of the name. It does not change any more.",
    ),
    namespaceuid: text(
      "UID of the namespace in which this was made, filled in by the server. Another one of its name inherits nothing.",
    ),
  },
};

const CONDITION: Schema = {
  type: "object",
  description: "A condition, as in metav1.Condition.",
  required: ["type", "status"],
  properties: {
    type: text("Its name, in CamelCase."),
    status: text("True, False or Unknown."),
    reason: text("Why it is so, in one CamelCase word."),
    message: text("Why it is so, in a sentence."),
    lastTransitionTime: time("When the status last changed."),
    observedGeneration: whole("The generation that it was said of."),
  },
};

const STATUS: Schema = {
  type: "object",
  description: "What has become of it.",
  properties: {
    message: text("One sentence for people."),
    conditions: { type: "array", description: "Conditions.", items: CONDITION },
  },
};

const TYPE = {
  apiVersion: text(`${GROUP_VERSION}.`),
  kind: text("The kind of this object."),
};

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
