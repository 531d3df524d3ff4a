/** JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7386), on plain JSON. Neither changes what it is given. */
import { isDeepStrictEqual } from "node:util";
import { isObject } from "./schema.ts";

type Json = unknown;

/** What a patch says cannot be done. */
export class PatchError extends Error {}

const MOST_OPERATIONS = 1000;
/** A copy of a copy of a copy … doubles each time. */
const MOST_BYTES = 4 << 20;

export function mergePatch(target: Json, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const result = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, mergePatch(result.get(name), value));
  }
  return Object.fromEntries(result); // a field called __proto__ is one like any other
}

/** @throws PatchError */
export function jsonPatch(target: Json, patch: Json): Json {
  if (!Array.isArray(patch)) throw new PatchError("a JSON patch must be a list of operations");
  if (patch.length > MOST_OPERATIONS)
    throw new PatchError(`a JSON patch may have at most ${MOST_OPERATIONS} operations`);
  let bytes = 0;
  return patch.reduce((document, operation, index) => {
    if (!isObject(operation)) throw new PatchError(`operation ${index} must be an object`);
    try {
      if (operation["op"] === "copy") bytes += JSON.stringify(at(document, pointerIn(operation, "from"))).length;
      if (bytes > MOST_BYTES) throw new PatchError("it copies too much");
      return applied(document, operation);
    } catch (error) {
      throw error instanceof PatchError ? new PatchError(`operation ${index}: ${error.message}`) : error;
    }
  }, target);
}

function applied(document: Json, operation: Record<string, Json>): Json {
  const path = pointerIn(operation, "path");
  switch (operation["op"]) {
    case "add":
      return added(document, path, valueIn(operation));
    case "remove":
      return removed(document, path);
    case "replace":
      return path.length === 0 ? valueIn(operation) : added(removed(document, path), path, valueIn(operation));
    case "move": {
      const from = pointerIn(operation, "from");
      if (from.length < path.length && from.every((each, index) => each === path[index]))
        throw new PatchError("nothing can be moved into itself");
      return added(removed(document, from), path, at(document, from));
    }
    case "copy":
      return added(document, path, at(document, pointerIn(operation, "from")));
    case "test":
      if (!isDeepStrictEqual(at(document, path), valueIn(operation)))
        throw new PatchError(`testing path ${operation["path"]}: another value`);
      return document;
    default:
      throw new PatchError(`there is no op ${JSON.stringify(operation["op"])}`);
  }
}

/** A JSON pointer (RFC 6901), in its parts. */
function pointerIn(operation: Record<string, Json>, field: "path" | "from"): string[] {
  const text = operation[field];
  if (typeof text !== "string" || (text !== "" && !text.startsWith("/")))
    throw new PatchError(`${field} must be a JSON pointer`);
  return text === ""
    ? []
    : text
        .slice(1)
        .split("/")
        .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function valueIn(operation: Record<string, Json>): Json {
  if (!Object.hasOwn(operation, "value")) throw new PatchError("value is missing");
  return operation["value"];
}

function at(document: Json, [part, ...rest]: readonly string[]): Json {
  return part === undefined ? document : at(child(document, part), rest);
}

function child(parent: Json, part: string): Json {
  if (Array.isArray(parent)) return parent[indexIn(part, parent.length - 1)];
  if (isObject(parent) && Object.hasOwn(parent, part)) return parent[part];
  throw new PatchError(`there is no ${JSON.stringify(part)}`);
}

function added(document: Json, [part, ...rest]: readonly string[], value: Json): Json {
  if (part === undefined) return value;
  if (rest.length > 0) return withChild(document, part, added(child(document, part), rest, value));
  if (Array.isArray(document))
    return document.toSpliced(part === "-" ? document.length : indexIn(part, document.length), 0, value);
  if (!isObject(document)) throw new PatchError(`${JSON.stringify(part)} has no parent`);
  return Object.fromEntries([...Object.entries(document).filter(([name]) => name !== part), [part, value]]);
}

function removed(document: Json, [part, ...rest]: readonly string[]): Json {
  if (part === undefined) throw new PatchError("the whole cannot be removed");
  const there = child(document, part); // or there is nothing to remove
  if (rest.length > 0) return withChild(document, part, removed(there, rest));
  if (Array.isArray(document)) return document.toSpliced(Number(part), 1);
  return Object.fromEntries(Object.entries(document as object).filter(([name]) => name !== part));
}

function withChild(parent: Json, part: string, value: Json): Json {
  if (Array.isArray(parent)) return parent.with(Number(part), value);
  return Object.fromEntries(Object.entries(parent as object).map(([name, old]) => [name, name === part ? value : old]));
}

function indexIn(part: string, last: number): number {
  if (!/^(0|[1-9]\d{0,9})$/.test(part) || Number(part) > last)
    throw new PatchError(`there is no index ${JSON.stringify(part)}`);
  return Number(part);
}
