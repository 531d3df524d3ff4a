/** The core_pattern that was there before `install`. */
import { readTrusted } from "../../system/trusted-file.ts";

/**
 * The core_pattern that `install` found and saved, when it was a pipe handler's; else undefined. The file names a program that
 * we run as root, so it has to be root's own.
 */
export function formerHandler(statePath: string): string | undefined {
  try {
    const { formerPattern } = JSON.parse(readTrusted(statePath) ?? "{}") as { formerPattern?: unknown };
    return typeof formerPattern === "string" && /^\|\s*\//.test(formerPattern) ? formerPattern : undefined;
  } catch {
    return undefined;
  }
}
