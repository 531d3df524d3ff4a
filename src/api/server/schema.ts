/** Fields as data: what a body may hold. The same data becomes OpenAPI. */
import { badRequest } from "./status-error.ts";

/** A part of JSON Schema that OpenAPI v2 and v3 have in common; `any` is whatever JSON there is. */
export interface Schema {
  readonly type: "string" | "boolean" | "integer" | "object" | "array" | "any";
  readonly description?: string;
  readonly format?: "date-time" | "int64";
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  /** Of an object that is a map. */
  readonly additionalProperties?: Schema;
  /** Of an array. */
  readonly items?: Schema;
}

export const text = (description: string): Schema => ({ type: "string", description });
export const time = (description: string): Schema => ({ type: "string", format: "date-time", description });
export const whole = (description: string): Schema => ({ type: "integer", format: "int64", description });

/**
 * A value with the fields that are declared, and no other; null is as good as nothing, as everywhere in Kubernetes.
 * @param path       where we are, for messages: `spec.podname`
 * @param onUnknown  gets the path of each field that is left out
 * @throws StatusError 400 when something is of another type
 */
export function shaped(schema: Schema, value: unknown, path: string, onUnknown: (path: string) => void): unknown {
  const { type, items } = schema;
  if (type === "any") return value;
  if (type === "array") {
    if (!Array.isArray(value)) throw wrongType(path, "a list");
    return value.map((each, index) => shaped(items ?? { type: "any" }, each, `${path}[${index}]`, onUnknown));
  }
  if (type === "integer") {
    if (!Number.isSafeInteger(value)) throw wrongType(path, "a whole number");
    return value;
  }
  if (type === "object") return shapedObject(schema, value, path, onUnknown);
  if (typeof value !== type) throw wrongType(path, type === "string" ? "text" : "true or false");
  return value;
}

function shapedObject(schema: Schema, value: unknown, path: string, onUnknown: (path: string) => void) {
  if (!isObject(value)) throw wrongType(path, "an object");
  const kept: [string, unknown][] = [];
  for (const [name, field] of Object.entries(value)) {
    const its = path === "" ? name : `${path}.${name}`;
    const known = schema.additionalProperties ?? own(schema.properties, name);
    if (known === undefined) onUnknown(its);
    else if (field !== null && field !== undefined) kept.push([name, shaped(known, field, its, onUnknown)]);
  }
  const missing = schema.required?.find((name) => !kept.some(([known]) => known === name));
  if (missing !== undefined) throw badRequest(`${path}.${missing} is missing`);
  return Object.fromEntries(kept);
}

const own = (properties: Schema["properties"], name: string): Schema | undefined =>
  properties && Object.hasOwn(properties, name) ? properties[name] : undefined;

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const wrongType = (path: string, wanted: string) => badRequest(`${path || "the body"} must be ${wanted}`);
