/** Asks a person at a terminal before something is deleted. */
import { createInterface } from "node:readline/promises";
import { DumpError } from "../../domain/failures.ts";
import { say } from "../output/print.ts";

/**
 * Whether a person at a terminal says yes; without a terminal `--yes` must have been given.
 * @param more  what else goes with them, or where they are
 */
export async function confirmed(count: number, more = ""): Promise<boolean> {
  if (count === 0) return true;
  const act = `delete ${count} dump${count === 1 ? "" : "s"}${more && ` ${more}`}`;
  if (!process.stdin.isTTY) {
    throw new DumpError("USAGE", `Cannot ask whether to ${act}: stdin is not a terminal`, { hint: "Give --yes" });
  }
  using line = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await line.question(`Really ${act}? [y/N] `);
  const yes = /^y(es)?$/i.test(answer.trim());
  if (!yes) say("Nothing deleted");
  return yes;
}
