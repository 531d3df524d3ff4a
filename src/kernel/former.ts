import { readFileSync } from "node:fs";

/** The core_pattern that `install` found and saved, when it was a pipe handler's; else undefined. */
export function formerHandler(statePath: string): string | undefined {
  try {
    const { formerPattern } = JSON.parse(readFileSync(statePath, "utf8")) as { formerPattern?: unknown };
    return typeof formerPattern === "string" && /^\|\s*\//.test(formerPattern) ? formerPattern : undefined;
  } catch {
    return undefined;
  }
}
