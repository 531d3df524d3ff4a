import { parseBytes, parseDurationMs } from "../domain/units.ts";
import type { Option, Values } from "./options.ts";

/** The value of one option as the user wrote it; undefined when it is none of its kind. */
export function parseValue(option: Option, text: string): unknown {
  const { kind } = option;
  if (typeof kind !== "string") return kind.includes(text) ? text : undefined;
  switch (kind) {
    case "text":
      return text;
    case "integer":
      return /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
    case "percent":
      return /^\d{1,3}%?$/.test(text) && Number.parseInt(text, 10) <= 100 ? Number.parseInt(text, 10) : undefined;
    case "bytes":
      return parseBytes(text);
    case "duration":
      return parseDurationMs(text);
    case "switch":
      return text === "true" || text === "" ? true : text === "false" ? false : undefined;
  }
}

/** What a bad value should have been, for messages. */
export function expected({ kind }: Option): string {
  if (typeof kind !== "string") return `one of ${kind.join(", ")}`;
  const words = {
    text: "text",
    integer: "a whole number",
    percent: "a percentage",
    bytes: "a size such as 32Gi",
    duration: "a duration such as 30s",
    switch: "true or false",
  };
  return words[kind];
}

/** Defaults, then what was found, by name. A bad value is left out and reported: it must not cost a core. */
export function valuesOf<T extends Record<string, Option>>(
  options: T,
  found: (option: Option) => string | undefined,
  complain: (problem: string) => void,
): Values<T> {
  const values: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(options)) {
    const text = found(option);
    const value = text === undefined ? undefined : parseValue(option, text);
    if (text !== undefined && value === undefined) {
      complain(`--${option.flag} ignored: ${JSON.stringify(text.slice(0, 80))} is not ${expected(option)}`);
    }
    values[name] = value ?? (option.default === undefined ? undefined : parseValue(option, option.default));
  }
  return values as Values<T>;
}
