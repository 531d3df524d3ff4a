/** metav1.ObjectMeta, as far as it means something here. */
import { type Schema, text, time, whole } from "./schema.ts";

export interface ObjectMeta {
  readonly name: string;
  readonly generateName?: string;
  readonly namespace: string;
  readonly uid: string;
  /** Not in what is stored: there it is the storage's revision. */
  readonly resourceVersion?: string;
  readonly generation: number;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
}

interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

const map = (description: string): Schema => ({
  type: "object",
  description,
  additionalProperties: { type: "string" },
});

const OWNER: Schema = {
  type: "object",
  description: "Another object of this namespace, with which this one goes.",
  required: ["apiVersion", "kind", "name", "uid"],
  properties: {
    apiVersion: text("Its API version."),
    kind: text("Its kind."),
    name: text("Its name."),
    uid: text("Its UID."),
    controller: { type: "boolean", description: "Whether it is the controller that manages this one." },
    blockOwnerDeletion: {
      type: "boolean",
      description: "Whether it waits for this one's deletion, in the foreground.",
    },
  },
};

export const META: Schema = {
  type: "object",
  description: "Standard object's metadata.",
  properties: {
    name: text("Unique in the namespace: a DNS subdomain (RFC 1123)."),
    generateName: text("What the server is to begin the name with, where none is given."),
    namespace: text("The namespace."),
    uid: text("Tells this object from any other, of any time. From the server."),
    resourceVersion: text("Tells this version of it from any other. From the server."),
    generation: whole("Counts changes of spec. From the server."),
    creationTimestamp: time("When it was made. From the server."),
    deletionTimestamp: time("Since when it is to go, once its finalizers have. From the server."),
    deletionGracePeriodSeconds: whole("0 when it is to go."),
    labels: map("By which it can be selected."),
    annotations: map("Whatever tools want to remember."),
    finalizers: { type: "array", items: { type: "string" }, description: "Who must agree before it goes." },
    ownerReferences: {
      type: "array",
      items: OWNER,
      description: "What it depends on: the last one's deletion deletes it.",
    },
    managedFields: { type: "array", items: { type: "any" }, description: "Not kept: there is no server-side apply." },
    selfLink: text("Not kept."),
  },
};

export const LIST_META: Schema = {
  type: "object",
  description: "Standard list metadata.",
  properties: {
    resourceVersion: text("The version of all of it: a watch goes on from here."),
    continue: text("Names the rest, where the list was limited."),
    remainingItemCount: whole("How many that are."),
    selfLink: text("Not given."),
  },
};
