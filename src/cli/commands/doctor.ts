/** `doctor`: checks this node. */
import type { CommandModule } from "yargs";
import { NODE_OPTIONS } from "../../config/options.ts";
import { DumpError } from "../../domain/failures.ts";
import { crashHere } from "../../node/doctor/self-test.ts";
import { DEFAULT_BIN_DIR, thisHost } from "../../node/install/host.ts";
import { settingsForFile } from "../../node/install/settings-file.ts";
import type { Step } from "../../node/install/step.ts";
import { examine } from "../../roles/doctor.ts";
import { print } from "../output/print.ts";
import { stepLines } from "../output/steps.ts";
import { flagsOf, type Parsed } from "./flags.ts";
import { asRoot, binDirOf } from "./node-flags.ts";
import { version } from "./version.ts";

const { dumpDir, criEndpoint, dockerHost } = NODE_OPTIONS;

export const command: CommandModule<object, Parsed> = {
  command: "doctor",
  describe: "check this node",
  builder: (yargs) =>
    yargs
      .option("self-test", { type: "boolean", default: false, describe: "also crash a process and check its dump" })
      .option("bin-dir", { type: "string", default: DEFAULT_BIN_DIR, describe: "directory of the executable" })
      .option("output", { alias: "o", choices: ["text", "json"], default: "text", describe: "the format" })
      .option("crash-as", { type: "string", hidden: true })
      .options(flagsOf({ dumpDir, criEndpoint, dockerHost })),
  async handler(argv) {
    if (argv["crash-as"] !== undefined) crashHere();
    if (argv["self-test"] === true) asRoot("doctor --self-test");
    const order = {
      binDir: binDirOf(argv),
      flags: new Map([...settingsForFile(argv)].map(([flag, value]) => [flag, String(value ?? "")])),
      selfTest: argv["self-test"] === true,
      version: version(),
    };
    const steps = await examine(order, thisHost(), new Date());
    const problems = steps.filter(({ level }) => level === "problem").length;
    await print(argv["output"] === "json" ? json(steps, problems) : `${stepLines(steps)}${count(problems)}\n`);
    if (problems > 0) throw new DumpError("NODE_UNHEALTHY", `Dumps may be lost on this node: ${count(problems)}`);
  },
};

const count = (problems: number): string =>
  problems === 0 ? "no problems" : `${problems} problem${problems === 1 ? "" : "s"}`;

const json = (steps: readonly Step[], problems: number): string =>
  `${JSON.stringify({ problems, checks: steps.map(({ what, level, text, hint }) => ({ check: what, level, text, hint: hint ?? null })) }, null, 2)}\n`;
