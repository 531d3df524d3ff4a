/** `kubectl coredump check`: checks the installation. */
import type { CommandModule } from "yargs";
import { AGENT_OPTIONS } from "../../config/cluster-options.ts";
import { check, needHealthy } from "../check/check.ts";
import { selfTest } from "../check/self-test.ts";
import type { Parsed } from "../commands/flags.ts";
import { json } from "../output/document.ts";
import { print } from "../output/print.ts";
import { stepLines } from "../output/steps.ts";
import { session } from "./access.ts";
import { interruptible } from "./interrupt.ts";

const SYSTEM = AGENT_OPTIONS.systemNamespace.default;
const PATIENCE_MS = 60_000;
/** Of a pod's start, a crash, and the core's way into the store. */
const SELF_TEST_PATIENCE_MS = 120_000;

export const command: CommandModule<object, Parsed> = {
  command: "check",
  describe: "check the whole installation (for admins of the cluster)",
  builder: {
    "self-test": { type: "boolean", describe: "also crash a pod and wait for its Coredump; then remove both" },
    node: { requiresArg: true, type: "string", describe: "node for the self-test" },
    output: { alias: "o", requiresArg: true, choices: ["text", "json"], default: "text", describe: "the format" },
  },
  async handler(argv) {
    const { http } = await session(argv);
    const namespace = typeof argv["namespace"] === "string" ? argv["namespace"] : SYSTEM;
    using stopping = interruptible();
    const within = (ms: number) => AbortSignal.any([stopping.signal, AbortSignal.timeout(ms)]);
    const steps = await check({ http, namespace, signal: within(PATIENCE_MS) });
    const node = argv["node"] as string | undefined;
    if (argv["self-test"] === true || node !== undefined)
      steps.push(...(await selfTest({ http, namespace, signal: within(SELF_TEST_PATIENCE_MS) }, node)));
    stopping.signal.throwIfAborted();
    await print(argv["output"] === "json" ? json(steps) : stepLines(steps));
    needHealthy(steps);
  },
};
