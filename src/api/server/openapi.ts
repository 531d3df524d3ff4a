/** The OpenAPI documents, out of the kind's fields: by them kubectl explains, checks and knows which patches there are. */
import { createHash } from "node:crypto";
import { ENDPOINT, ENDPOINT_LIST, GROUP, GROUP_VERSION, KIND, LIST_KIND, RESOURCE, VERSION } from "./kind.ts";
import { LIST_META, META } from "./meta.ts";
import { type Operation, PATCH_TYPES, PATHS } from "./operations.ts";
import type { Schema } from "./schema.ts";

type JsonSchema = Record<string, unknown>;

const NAME = `com.fujitsu.coredump.${VERSION}`;
const ROOT = `/apis/${GROUP_VERSION}`;
const JSON_TYPE = "application/json";

/** Where the schemas are, in either document. */
type At = "#/definitions/" | "#/components/schemas/";

/** Schemas that stand by themselves. */
const SHARED: ReadonlyMap<Schema, string> = new Map([
  [ENDPOINT, `${NAME}.${KIND}`],
  [ENDPOINT_LIST, `${NAME}.${LIST_KIND}`],
  [META, `${NAME}.ObjectMeta`],
  [LIST_META, `${NAME}.ListMeta`],
  ...(["spec", "status"] as const).map((field): [Schema, string] => [
    ENDPOINT.properties?.[field] as Schema,
    `${NAME}.${KIND}${field === "spec" ? "Spec" : "Status"}`,
  ]),
]);

function schemasAt(at: At): JsonSchema {
  const ref = (schema: Schema): JsonSchema =>
    SHARED.has(schema) ? { $ref: `${at}${SHARED.get(schema)}` } : plain(schema);
  const plain = ({ type, properties, additionalProperties, items, ...rest }: Schema): JsonSchema => ({
    ...(type !== "any" && { type }),
    ...rest,
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, ref(each)])),
    }),
    ...(additionalProperties && { additionalProperties: ref(additionalProperties) }),
    ...(items && { items: ref(items) }),
  });
  return Object.fromEntries(
    [...SHARED].map(([schema, name]) => {
      const kind = schema === ENDPOINT ? KIND : schema === ENDPOINT_LIST ? LIST_KIND : undefined;
      const gvk = kind && { "x-kubernetes-group-version-kind": [{ group: GROUP, version: VERSION, kind }] };
      return [name, { ...plain(schema), ...gvk }];
    }),
  );
}

const idOf = (action: string, path: string): string =>
  `${action}${path.replace(/[{}]/g, "").replace(/(^|\/)(\w)/g, (_, __, letter: string) => letter.toUpperCase())}`;

const integers = new Set(["limit"]);
const switches = new Set(["watch"]);
const typeOf = (name: string): JsonSchema => ({
  type: integers.has(name) ? "integer" : switches.has(name) ? "boolean" : "string",
});

const common = (path: string, { action, answer }: Operation): JsonSchema => ({
  operationId: idOf(action, path),
  tags: [GROUP_VERSION],
  ...(path.includes(`/${RESOURCE}`) &&
    answer !== "bytes" && {
      "x-kubernetes-action": action,
      "x-kubernetes-group-version-kind": { group: GROUP, version: VERSION, kind: KIND },
    }),
});

const schemaOf = (what: Operation["answer"] | Operation["body"], at: At): JsonSchema =>
  what === "object"
    ? { $ref: `${at}${SHARED.get(ENDPOINT)}` }
    : what === "list"
      ? { $ref: `${at}${SHARED.get(ENDPOINT_LIST)}` }
      : { type: "object" };

const pathNames = (path: string): string[] => [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);

function document2(path: string, operation: Operation): JsonSchema {
  const { body, answer, query } = operation;
  const inBody = { name: "body", in: "body", required: body !== "options", schema: schemaOf(body, "#/definitions/") };
  return {
    ...common(path, operation),
    consumes: body === "patch" ? PATCH_TYPES : [JSON_TYPE],
    produces: answer === "bytes" ? ["application/octet-stream"] : [JSON_TYPE],
    schemes: ["https"],
    parameters: [
      ...query.map((name) => ({ name, in: "query", uniqueItems: true, ...typeOf(name) })),
      ...(body ? [inBody] : []),
    ],
    responses: {
      "200": { description: "OK", ...(answer !== "bytes" && { schema: schemaOf(answer, "#/definitions/") }) },
    },
  };
}

function document3(path: string, operation: Operation): JsonSchema {
  const { body, answer, query } = operation;
  const schema = (what: typeof body | typeof answer) => ({ schema: schemaOf(what, "#/components/schemas/") });
  const types = body === "patch" ? PATCH_TYPES : [JSON_TYPE];
  return {
    ...common(path, operation),
    parameters: query.map((name) => ({ name, in: "query", schema: typeOf(name) })),
    ...(body && { requestBody: { content: Object.fromEntries(types.map((type) => [type, schema(body)])) } }),
    responses: {
      "200": {
        description: "OK",
        content: answer === "bytes" ? { "application/octet-stream": {} } : { [JSON_TYPE]: schema(answer) },
      },
    },
  };
}

function pathsBy(
  operationOf: (path: string, operation: Operation) => JsonSchema,
  parameter: (name: string) => JsonSchema,
): JsonSchema {
  return Object.fromEntries(
    Object.entries(PATHS).map(([path, operations]) => [
      ROOT + path,
      {
        parameters: pathNames(path).map((name) => ({ name, in: "path", required: true, ...parameter(name) })),
        ...Object.fromEntries(operations.map((each) => [each.method, operationOf(path, each)])),
      },
    ]),
  );
}

const info = { title: "coredump-detector", version: VERSION };

/** A document as it is sent, and its entity tag. */
export interface Document {
  readonly text: string;
  readonly hash: string;
}

const documentOf = (json: JsonSchema): Document => {
  const text = JSON.stringify(json);
  return { text, hash: createHash("sha256").update(text).digest("hex").toUpperCase() };
};

export const openApi2 = (): Document =>
  documentOf({
    swagger: "2.0",
    info,
    paths: pathsBy(document2, () => ({ type: "string", uniqueItems: true })),
    definitions: schemasAt("#/definitions/"),
  });

export const openApi3 = (): Document =>
  documentOf({
    openapi: "3.0.0",
    info,
    paths: pathsBy(document3, () => ({ schema: { type: "string" } })),
    components: { schemas: schemasAt("#/components/schemas/") },
  });

/** Where the document of our one version is; its hash in the address lets it be kept for ever. */
export const openApi3Index = ({ hash }: Document): object => ({
  paths: { [`apis/${GROUP_VERSION}`]: { serverRelativeURL: `/openapi/v3/apis/${GROUP_VERSION}?hash=${hash}` } },
});
