/**
 * JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7386), on plain JSON. Neither changes what it is given. A JSON patch works
 * on one copy of the target, so that an operation costs what it touches, and all of them together no more than a budget.
 */
import { LIMITS } from "./limits.ts";
import { isObject } from "./schema.ts";

type JsonValue = unknown;

/** Of text, so many characters (as a power of two) are as much work as one element. */
const TEXT_SHIFT = 3;

/** What a patch says cannot be done. */
export class PatchError extends Error {}

/** Depth is bounded by who parsed it. */
export function mergePatch(target: JsonValue, patch: JsonValue): JsonValue {
  if (!isObject(patch)) return patch;
  const result = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, mergePatch(result.get(name), value));
  }
  return Object.fromEntries(result); // a field called __proto__ is one like any other
}

/** @throws PatchError */
export function jsonPatch(target: JsonValue, patch: JsonValue): JsonValue {
  if (!Array.isArray(patch)) throw new PatchError("a JSON patch must be a list of operations");
  if (patch.length > LIMITS.operations)
    throw new PatchError(`a JSON patch may have at most ${LIMITS.operations} operations`);
  const document = new PatchedDocument(target);
  for (const [index, operation] of patch.entries()) {
    if (!isObject(operation)) throw new PatchError(`operation ${index} must be an object`);
    try {
      document.apply(operation);
    } catch (error) {
      throw error instanceof PatchError ? new PatchError(`operation ${index}: ${error.message}`) : error;
    }
  }
  return document.whole;
}

/** A copy of the target while operations change it in place. What an operation puts in is copied too, and so never shared. */
class PatchedDocument {
  /** The document is a field of this, so that it is replaced like any other. */
  readonly #root: Record<string, JsonValue>;
  #workLeft: number = LIMITS.patchWork;

  constructor(target: JsonValue) {
    this.#root = { "": copied(target, () => undefined) };
  }

  get whole(): JsonValue {
    return this.#root[""];
  }

  apply(operation: Record<string, JsonValue>): void {
    const path = pointerIn(operation, "path");
    switch (operation["op"]) {
      case "add":
        this.#add(path, this.#copy(valueIn(operation)));
        return;
      case "remove":
        this.#remove(path);
        return;
      case "replace": {
        const value = this.#copy(valueIn(operation));
        if (path.length > 1) this.#remove(path);
        this.#add(path, value);
        return;
      }
      case "move":
        this.#move(pointerIn(operation, "from"), path);
        return;
      case "copy":
        this.#add(path, this.#copy(this.#at(pointerIn(operation, "from"))));
        return;
      case "test":
        if (!this.#isEqual(this.#at(path), valueIn(operation)))
          throw new PatchError("testing the path: another value is there");
        return;
      default:
        throw new PatchError("there is no such op");
    }
  }

  #move(from: readonly string[], path: readonly string[]): void {
    if (from.length < path.length && from.every((each, index) => each === path[index]))
      throw new PatchError("nothing can be moved into itself");
    this.#add(path, this.#remove(from));
  }

  #at(path: readonly string[]): JsonValue {
    return path.reduce<JsonValue>(child, this.#root);
  }

  #add(path: readonly string[], value: JsonValue): void {
    const parent = this.#at(path.slice(0, -1));
    const part = path.at(-1) ?? "";
    if (Array.isArray(parent)) {
      const index = part === "-" ? parent.length : indexIn(part, parent.length);
      this.#spend(parent.length - index);
      parent.splice(index, 0, value);
    } else if (isObject(parent))
      // Not an assignment, to which a field called __proto__ is none like any other.
      Object.defineProperty(parent, part, { value, configurable: true, enumerable: true, writable: true });
    else throw new PatchError(`${shown(part)} has no parent`);
  }

  #remove(path: readonly string[]): JsonValue {
    if (path.length === 1) throw new PatchError("the whole cannot be removed");
    const parent = this.#at(path.slice(0, -1));
    const part = path.at(-1) ?? "";
    const there = child(parent, part); // or there is nothing to remove
    if (Array.isArray(parent)) {
      this.#spend(parent.length - Number(part));
      parent.splice(Number(part), 1);
    } else delete (parent as Record<string, JsonValue>)[part];
    return there;
  }

  #copy(value: JsonValue): JsonValue {
    return copied(value, (elements) => this.#spend(elements));
  }

  #isEqual(one: JsonValue, other: JsonValue): boolean {
    if (Array.isArray(one) && Array.isArray(other)) {
      this.#spend(1);
      return one.length === other.length && one.every((each, index) => this.#isEqual(each, other[index]));
    }
    if (!isObject(one) || !isObject(other)) {
      this.#spend(1);
      return one === other;
    }
    const names = Object.keys(one);
    this.#spend(names.length);
    return (
      names.length === Object.keys(other).length &&
      names.every((name) => Object.hasOwn(other, name) && this.#isEqual(one[name], other[name]))
    );
  }

  #spend(elements: number): void {
    this.#workLeft -= 1 + elements;
    if (this.#workLeft < 0) throw new PatchError("the patch copies, compares or moves too much");
  }
}

/**
 * @param spend  gets the size of what is about to be copied, in elements: text costs nothing here, but it does once it is written
 * @throws PatchError deeper than any body: moves can put one tree below another, again and again
 */
function copied(value: JsonValue, spend: (elements: number) => void, depth = 0): JsonValue {
  if (typeof value === "string") spend(value.length >> TEXT_SHIFT);
  if (typeof value !== "object" || value === null) return value;
  if (depth > 2 * LIMITS.bodyDepth) throw new PatchError("the patch nests too much");
  if (Array.isArray(value)) {
    spend(value.length);
    return value.map((each) => copied(each, spend, depth + 1));
  }
  const entries = Object.entries(value);
  spend(entries.reduce((sum, [name]) => sum + 1 + (name.length >> TEXT_SHIFT), 0));
  return Object.fromEntries(entries.map(([name, each]) => [name, copied(each, spend, depth + 1)]));
}

/** A JSON pointer (RFC 6901), in its parts; the first is the whole document. */
function pointerIn(operation: Record<string, JsonValue>, field: "path" | "from"): string[] {
  const text = operation[field];
  if (typeof text !== "string" || (text !== "" && !text.startsWith("/")))
    throw new PatchError(`${field} must be a JSON pointer`);
  if (text.length > LIMITS.pointerLength)
    throw new PatchError(`${field} must be no longer than ${LIMITS.pointerLength} characters`);
  const parts = text.split("/");
  if (parts.length > LIMITS.bodyDepth) throw new PatchError(`${field} is deeper than ${LIMITS.bodyDepth} levels`);
  return parts.map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function valueIn(operation: Record<string, JsonValue>): JsonValue {
  if (!Object.hasOwn(operation, "value")) throw new PatchError("value is missing");
  return operation["value"];
}

function child(parent: JsonValue, part: string): JsonValue {
  if (Array.isArray(parent)) return parent[indexIn(part, parent.length - 1)];
  if (isObject(parent) && Object.hasOwn(parent, part)) return parent[part];
  throw new PatchError(`there is no ${shown(part)}`);
}

function indexIn(part: string, last: number): number {
  if (!/^(0|[1-9]\d{0,9})$/.test(part) || Number(part) > last) throw new PatchError(`there is no index ${shown(part)}`);
  return Number(part);
}

const shown = (part: string): string => JSON.stringify(part.slice(0, 100));
