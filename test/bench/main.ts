/** `bin/bench` is its entry and says what the arguments are. */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { BINARY } from "../support/paths.ts";
import { tempDir } from "../support/tmp.ts";
import { CASES, type Line, measure } from "./cases.ts";
import { ours } from "./handlers.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { check: { type: "boolean" }, pairs: { type: "string" }, binary: { type: "string" } },
});
const unknown = positionals.find((name) => !(name in CASES));
if (unknown !== undefined) {
  console.error(`Cannot measure ${JSON.stringify(unknown)}: the cases are ${Object.keys(CASES).join(", ")}`);
  process.exit(2);
}

const missed: string[] = [];
for (const name of positionals.length > 0 ? positionals : Object.keys(CASES)) {
  const count = Math.max(5, Number(values.pairs ?? CASES[name]?.pairs));
  let line = await measured(name, count);
  console.log(JSON.stringify(line));
  if (line.met || !values.check) continue;
  line = await measured(name, count * 2 + 1); // the machine may have been busy
  console.log(JSON.stringify(line));
  if (!line.met) missed.push(name);
}
if (missed.length > 0) console.error(`Bars missed: ${missed.join(", ")}`);
process.exitCode = missed.length > 0 ? 1 : 0;

async function measured(name: string, pairs: number): Promise<Line> {
  using folder = tempDir();
  return await measure(name, pairs, ours(resolve(values.binary ?? BINARY), join(folder.path, "o")), folder.path);
}
