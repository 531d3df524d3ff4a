/** The value of an option from text, and settings from flags, environment and defaults. */
import { parseBytes, parseDurationMs } from "../domain/units.ts";
import type { Option, Values } from "./options.ts";

/** The value of one option as the user wrote it; undefined when it is none of its kind. */
export function parseValue({ kind, min = 0 }: Option, text: string): unknown {
  if (typeof kind !== "string") return kind.includes(text) ? text : undefined;
  switch (kind) {
    case "text":
      return text === "" || text.includes("\0") ? undefined : text; // no path and no name holds a NUL
    case "integer":
      return /^\d{1,15}$/.test(text) && Number(text) >= min ? Number(text) : undefined;
    case "percent":
      return /^\d{1,3}%?$/.test(text) && Number.parseInt(text, 10) <= 100 ? Number.parseInt(text, 10) : undefined;
    case "bytes":
      return parseBytes(text);
    case "duration":
      return parseDurationMs(text);
    case "switch":
      return text === "true" ? true : text === "false" ? false : undefined;
  }
}

/** What a bad value should have been, for messages. */
export function expected({ kind, min }: Option): string {
  if (typeof kind !== "string") return `one of ${kind.join(", ")}`;
  const words = {
    text: "text",
    integer: min === undefined ? "a whole number" : `a whole number from ${min} on`,
    percent: "a percentage",
    bytes: "a size such as 32Gi",
    duration: "a duration such as 30s",
    switch: "true or false",
  };
  return words[kind];
}

/**
 * By name, the first good value of those found, else the default. A bad value is left out and reported: it must not cost
 * a core. An empty one is not a value: a specifier that expanded to nothing, a setting left blank.
 *
 * @param found  what was said of an option, what counts most first
 */
export function valuesOf<T extends Record<string, Option>>(
  options: T,
  found: (option: Option) => string | undefined | readonly (string | undefined)[],
  complain: (problem: string) => void,
): Values<T> {
  const chosen = (option: Option): unknown => {
    for (const text of [found(option), option.default].flat()) {
      if (text === undefined || text === "") continue;
      const value = parseValue(option, text);
      if (value !== undefined) return value;
      complain(`--${option.flag} ignored: ${JSON.stringify(text.slice(0, 80))} is not ${expected(option)}`);
    }
    return undefined;
  };
  return Object.fromEntries(Object.entries(options).map(([name, option]) => [name, chosen(option)])) as Values<T>;
}
