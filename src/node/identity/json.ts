/** Foreign JSON, read by hand: nothing is taken for what it should be, and nothing inherited is ever read. */
import { ifPossible } from "../../domain/failures.ts";

/** The value at a way of keys, or undefined when there is none. */
export function at(json: unknown, ...keys: string[]): unknown {
  let value = json;
  for (const key of keys) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

/** Text that is not empty, else null. */
export function textAt(json: unknown, ...keys: string[]): string | null {
  const value = at(json, ...keys);
  return typeof value === "string" && value !== "" ? value.toWellFormed() : null;
}

/** A whole number from 0 on (also as digits), else null. */
export function countAt(json: unknown, ...keys: string[]): number | null {
  const value = at(json, ...keys);
  const count = typeof value === "number" ? value : typeof value === "string" && /^\d{1,9}$/.test(value) ? +value : -1;
  return Number.isSafeInteger(count) && count >= 0 ? count : null;
}

/** The entries that are text; null when there is no object. */
export function textsAt(json: unknown, ...keys: string[]): Record<string, string> | null {
  const value = at(json, ...keys);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const texts = Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return Object.fromEntries(texts.map(([key, text]) => [key, text.toWellFormed()]));
}

/** JSON within JSON (annotations hold such); undefined when it is none. */
export const parsed = (text: string | null): unknown =>
  ifPossible(() => (text === null ? undefined : JSON.parse(text)));
