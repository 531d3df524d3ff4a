/**
 * What a test needs of the machine. Outside CI a test whose set-up is missing is skipped, and says why; in CI that is a
 * failure, so that nothing is silently left out.
 */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { BINARY, program, TESTBED } from "./paths.ts";

type Need = "root" | "testbed" | "cluster" | "binary" | `command:${string}`;

function missing(need: Need): string | false {
  if (need === "root") return process.getuid?.() !== 0 && "needs root";
  if (need === "testbed") return !existsSync(program("tee-handler")) && "needs `test/testbed/testbed setup` (as root)";
  if (need === "cluster")
    return !existsSync(join(TESTBED, "kubernetes/kubelet")) && "needs `test/testbed/testbed setup cluster` (as root)";
  if (need === "binary") return !existsSync(BINARY) && "needs `bin/build`";
  const command = need.slice("command:".length);
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return !folders.some((folder) => existsSync(join(folder, command))) && `needs the command ${command}`;
}

/**
 * For `test(name, { skip: needs("root", "testbed") }, …)`.
 * @returns the reason to skip, or false
 * @throws Error in CI (`CI=true`), with the reason
 */
export function needs(...what: Need[]): string | false {
  const reason = what.map(missing).find((why) => why !== false) ?? false;
  if (reason && process.env["CI"] === "true") throw new Error(`Cannot run in CI: ${reason}`);
  return reason;
}
