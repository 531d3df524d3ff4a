/** What may be done at which path, as data: for the OpenAPI documents. */
import { DUMPS, RESOURCE } from "./kind.ts";

/** Of strategic merge and of server-side apply there is nothing here, which is how kubectl knows not to try. */
export const PATCH_TYPES = ["application/json-patch+json", "application/merge-patch+json"];

export interface Operation {
  readonly method: "get" | "put" | "post" | "patch" | "delete";
  readonly action: string;
  readonly body?: "object" | "patch" | "options";
  readonly answer: "object" | "list" | "any" | "bytes";
  readonly query: readonly string[];
}

const WRITES = ["dryRun", "fieldManager", "fieldValidation"];
const LISTS = [
  "labelSelector",
  "fieldSelector",
  "limit",
  "continue",
  "resourceVersion",
  "resourceVersionMatch",
  "watch",
];
const LIST: Operation = { method: "get", action: "list", answer: "list", query: LISTS };
const GET: Operation = { method: "get", action: "get", answer: "object", query: [] };
const PUT: Operation = { method: "put", action: "put", body: "object", answer: "object", query: WRITES };
const PATCH: Operation = { method: "patch", action: "patch", body: "patch", answer: "object", query: WRITES };
const DELETE = { method: "delete", body: "options", answer: "any" } as const;
const BYTES: Operation = { method: "get", action: "connect", answer: "bytes", query: ["container", "part"] };

/** Paths below the version's own. */
export const PATHS: Readonly<Record<string, readonly Operation[]>> = {
  [`/${RESOURCE}`]: [LIST],
  [`/namespaces/{namespace}/${RESOURCE}`]: [
    LIST,
    { method: "post", action: "post", body: "object", answer: "object", query: WRITES },
    { ...DELETE, action: "deletecollection", query: [...LISTS.slice(0, 2), "dryRun"] },
  ],
  [`/namespaces/{namespace}/${RESOURCE}/{name}`]: [
    GET,
    PUT,
    PATCH,
    { ...DELETE, action: "delete", query: ["dryRun", "propagationPolicy"] },
  ],
  [`/namespaces/{namespace}/${RESOURCE}/{name}/status`]: [GET, PUT, PATCH],
  [`/namespaces/{namespace}/${RESOURCE}/{name}/dump`]: [BYTES],
  [`/namespaces/{namespace}/${DUMPS}/{name}/dump`]: [BYTES],
};
