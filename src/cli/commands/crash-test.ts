/** `crash-test`: crashes in its own pod and waits for the Coredump (`helm test`). */
import { isSea } from "node:sea";
import type { CommandModule } from "yargs";
import { NODE_OPTIONS, type Option } from "../../config/options.ts";
import { connect } from "../../kube/http.ts";
import { check, INSIDE, needHealthy } from "../check/check.ts";
import { crash, crashTest } from "../check/crash-test.ts";
import { print } from "../output/print.ts";
import { stepLines } from "../output/steps.ts";
import { flagsOf, type Parsed } from "./flags.ts";
import { settingsGiven } from "./given.ts";

const LOOK_MS = 30_000;

const OPTIONS = {
  kubeconfig: NODE_OPTIONS.kubeconfig,
  namespace: { flag: "namespace", kind: "text", env: "POD_NAMESPACE", default: "default", describe: "this pod's" },
  pod: { flag: "pod", kind: "text", env: "POD_NAME", default: "", describe: "name of this pod" },
  node: { flag: "node", kind: "text", env: "NODE_NAME", default: "", describe: "node that this pod runs on" },
  until: { flag: "until", kind: ["Allowed", "Saved"], default: "Saved", describe: "state that it must reach" },
  waitMs: { flag: "wait", kind: "duration", default: "2m", describe: "how long to wait for that state" },
  look: { flag: "check", kind: "switch", default: "false", describe: "then check all parts in that namespace" },
  only: { flag: "only-crash", kind: "switch", default: "false", describe: "only crash; do not use the API" },
} as const satisfies Record<string, Option>;

export const command: CommandModule<object, Parsed> = {
  command: "crash-test",
  describe: "crash in this pod and wait for the Coredump (used by helm test)",
  builder: (yargs) => yargs.options(flagsOf(OPTIONS)).option("victim", { type: "boolean", hidden: true }),
  async handler(argv) {
    if (argv["victim"] === true) return await victim();
    const { kubeconfig, namespace, pod, node, until, waitMs, ...also } = settingsGiven(argv, OPTIONS);
    const program = isSea() ? [] : [process.argv[1] ?? ""];
    const self = [process.execPath, ...program, "crash-test", "--victim"] as const;
    if (also.only) return await crash(self);
    const crashed = { namespace, pod: pod ?? "", node, until };
    const http = await connect(kubeconfig);
    const crashing = crashTest(http, crashed, self, AbortSignal.timeout(waitMs));
    const failure = await crashing.then(({ metadata }) => print(`${metadata.name} is ${until}\n`)).catch(asItIs);
    const steps = also.look ? await check({ http, namespace, signal: AbortSignal.timeout(LOOK_MS) }, INSIDE) : [];
    await print(stepLines(steps));
    if (failure !== undefined) throw failure;
    needHealthy(steps);
  },
};

const asItIs = (error: unknown): unknown => error;

/** Waits to be killed; ends when its parent does. */
async function victim(): Promise<void> {
  process.stdout.write("ready\n");
  for await (const _ of process.stdin);
}
