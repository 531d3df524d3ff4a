/** `bin/bench` is its entry and says what the arguments are. */
import { execFileSync } from "node:child_process";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { BINARY, TESTBED_COMMAND } from "../support/paths.ts";
import { tempDir } from "../support/tmp.ts";
import { CASES } from "./cases.ts";
import { ours } from "./handlers.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    check: { type: "boolean" },
    count: { type: "string" },
    binary: { type: "string" },
    against: { type: "string" },
  },
});
const unknown = positionals.find((name) => !(name in CASES));
if (unknown !== undefined) {
  console.error(`Cannot measure ${JSON.stringify(unknown)}: the cases are ${Object.keys(CASES).join(", ")}`);
  process.exit(2);
}
const chosen = Object.entries(CASES).filter(([name]) => positionals.length === 0 || positionals.includes(name));
const setUp = ["setup", ...(chosen.some(([, { cluster }]) => cluster) ? ["cluster"] : [])];
execFileSync(TESTBED_COMMAND, setUp, { stdio: ["ignore", "ignore", "inherit"] });

const missed: string[] = [];
for (const [name, each] of chosen) {
  const count = Number(values.count ?? each.count);
  if ((await measured(name, count)) || !values.check) continue;
  if (!(await measured(name, count * 2 + 1))) missed.push(name); // the machine may have been busy
}
if (missed.length > 0) console.error(`Bars missed: ${missed.join(", ")}`);
process.exitCode = missed.length > 0 ? 1 : 0;

async function measured(name: string, count: number): Promise<boolean | undefined> {
  using folder = tempDir();
  const binary = ours(resolve(values.binary ?? BINARY), join(folder.path, "o"));
  const former = values.against === undefined ? undefined : ours(resolve(values.against), join(folder.path, "f"));
  const outcome = await CASES[name]?.measure(count, binary, folder.path, former);
  console.log(JSON.stringify({ case: name, count, ...outcome }));
  return outcome?.met;
}
