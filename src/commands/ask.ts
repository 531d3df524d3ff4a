import { createInterface } from "node:readline/promises";
import type { DumpRecord } from "../domain/dump.ts";
import { DumpError } from "../domain/failures.ts";
import { say } from "./output/print.ts";

/** Whether a person at a terminal says yes; where nobody can be asked, `--yes` must have said so. */
export async function confirmed(records: readonly DumpRecord[], purge: boolean): Promise<boolean> {
  if (records.length === 0) return true;
  const act = `delete ${records.length} dump${records.length === 1 ? "" : "s"}${purge ? " and their records" : ""}`;
  if (!process.stdin.isTTY) {
    throw new DumpError("USAGE", `Cannot ask whether to ${act}: stdin is no terminal`, { hint: "Give --yes" });
  }
  using line = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await line.question(`Really ${act}? [y/N] `);
  const yes = /^y(es)?$/i.test(answer.trim());
  if (!yes) say("Nothing deleted");
  return yes;
}
