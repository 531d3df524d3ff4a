import { spawn } from "node:child_process";
import { ROOT } from "./paths.ts";

/** Runs a command in the checkout. @returns undefined when it succeeds, else all that it wrote, and how it ended */
export async function problemOf(
  command: string,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<string | undefined> {
  const child = spawn(command, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"], ...(signal && { signal }) });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  return await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, how) => resolve(code === 0 ? undefined : `${output}${command} ended with ${code ?? how}`));
  });
}
