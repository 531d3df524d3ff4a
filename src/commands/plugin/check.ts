import type { CommandModule } from "yargs";
import { check } from "../../check/check.ts";
import { AGENT_OPTIONS } from "../../config/cluster-options.ts";
import { DumpError } from "../../domain/failures.ts";
import type { Parsed } from "../flags.ts";
import { json } from "../output/document.ts";
import { print } from "../output/print.ts";
import { stepLines } from "../output/steps.ts";
import { session } from "./access.ts";

const SYSTEM = AGENT_OPTIONS.systemNamespace.default;
const PATIENCE_MS = 60_000;

export const command: CommandModule<object, Parsed> = {
  command: "check",
  describe: "say what is wrong with the installation (for admins of the cluster)",
  builder: {
    output: { alias: "o", requiresArg: true, choices: ["text", "json"], default: "text", describe: "how to print" },
  },
  async handler(argv) {
    const { http } = await session(argv);
    const namespace = typeof argv["namespace"] === "string" ? argv["namespace"] : SYSTEM;
    const steps = await check({ http, namespace, signal: AbortSignal.timeout(PATIENCE_MS) });
    await print(argv["output"] === "json" ? json(steps) : stepLines(steps));
    const problems = steps.filter(({ level }) => level === "problem").length;
    if (problems > 0)
      throw new DumpError(
        "CLUSTER_UNHEALTHY",
        `The installation does not work as it should: ${problems} ${problems === 1 ? "problem" : "problems"}`,
      );
  },
};
