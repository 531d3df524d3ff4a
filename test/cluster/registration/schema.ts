/** The structural schema of install/crd/coredumps.yaml, as far as it says what a field may hold. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { ROOT } from "../../support/paths.ts";

export interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
  readonly enum?: readonly unknown[];
  readonly "x-kubernetes-int-or-string"?: boolean;
}

const crd = parse(readFileSync(join(ROOT, "install/crd/coredumps.yaml"), "utf8"));
const [version] = crd.spec.versions;
export const COREDUMP_SCHEMA: Schema = version.schema.openAPIV3Schema;
export const COLUMNS: readonly { readonly name: string; readonly jsonPath: string }[] =
  version.additionalPrinterColumns;
export const SELECTABLE: readonly { readonly jsonPath: string }[] = version.selectableFields;

/** What the API server would find fault with, or drop without a word; empty when nothing. */
export function faults(value: unknown, schema: Schema, path = ""): string[] {
  if (value === null || value === undefined) return [`${path} has no value`];
  if (Array.isArray(value))
    return [
      ...(value.length > (schema.maxItems ?? Number.POSITIVE_INFINITY) ? [`${path} has ${value.length} items`] : []),
      ...value.flatMap((item, at) => faults(item, schema.items ?? {}, `${path}[${at}]`)),
    ];
  if (typeof value === "object") return ofObject(value as Record<string, unknown>, schema, path);
  return ofScalar(value, schema, path);
}

function ofObject(value: Record<string, unknown>, { properties, required = [] }: Schema, path: string): string[] {
  if (!properties) return []; // metadata: the API server's own
  const missing = required.filter((name) => value[name] === undefined).map((name) => `${path}.${name} is missing`);
  const others = Object.entries(value).flatMap(([name, field]) =>
    properties[name] ? faults(field, properties[name], `${path}.${name}`) : [`${path}.${name} is no field`],
  );
  return [...missing, ...others];
}

function ofScalar(value: unknown, schema: Schema, path: string): string[] {
  const found: string[] = [];
  const expects = (is: boolean, what: string) => void (is || found.push(`${path} = ${JSON.stringify(value)}: ${what}`));
  if (typeof value === "string") {
    const isText = schema.type === "string" || schema["x-kubernetes-int-or-string"] === true;
    expects(isText, "is no text");
    expects(value.isWellFormed(), "is not well-formed");
    expects([...value].length <= (schema.maxLength ?? Number.POSITIVE_INFINITY), "too long");
    expects([...value].length >= (schema.minLength ?? 0), "too short");
    if (schema.pattern) expects(new RegExp(schema.pattern).test(value), `is not ${schema.pattern}`);
  }
  if (typeof value === "number") {
    expects(schema.type === "integer" && Number.isSafeInteger(value), "is no integer");
    expects(value >= (schema.minimum ?? value) && value <= (schema.maximum ?? value), "out of range");
  }
  if (typeof value === "boolean") expects(schema.type === "boolean", "is no boolean");
  if (schema.enum) expects(schema.enum.includes(value), "is none of the choices");
  return found;
}
