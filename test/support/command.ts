import { spawn } from "node:child_process";
import { ROOT } from "./paths.ts";

export interface Outcome {
  /** All that it wrote, both streams in one. */
  readonly output: string;
  /** Its exit code, or the signal that ended it. */
  readonly end: number | string;
}

/** Runs a command in the checkout to its end. */
export async function outcomeOf(command: string, args: readonly string[], signal?: AbortSignal): Promise<Outcome> {
  const child = spawn(command, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"], ...(signal && { signal }) });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  return await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, how) => resolve({ output, end: code ?? `${how}` }));
  });
}

/** @returns undefined when the command succeeds, else all that it wrote, and how it ended */
export async function problemOf(...call: Parameters<typeof outcomeOf>): Promise<string | undefined> {
  const { output, end } = await outcomeOf(...call);
  return end === 0 ? undefined : `${output}${call[0]} ended with ${end}`;
}
