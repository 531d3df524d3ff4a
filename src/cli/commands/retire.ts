/** `retire`: makes all agents restore their nodes. */
import type { CommandModule } from "yargs";
import { AGENT_OPTIONS } from "../../config/cluster-options.ts";
import { NODE_OPTIONS, type Option } from "../../config/options.ts";
import { printable } from "../../domain/text.ts";
import { connect } from "../../kube/http.ts";
import { type RetireReport, removePod, retireNodes } from "../../roles/retire.ts";
import { print } from "../output/print.ts";
import { flagsOf, type Parsed } from "./flags.ts";
import { settingsGiven } from "./given.ts";
import { untilStopped } from "./roles.ts";

const OPTIONS = {
  kubeconfig: NODE_OPTIONS.kubeconfig,
  systemNamespace: AGENT_OPTIONS.systemNamespace,
  testPod: { flag: "test-pod", kind: "text", describe: "a pod of `helm test` to remove, if it was kept" },
  waitMs: { flag: "wait", kind: "duration", default: "1m", describe: "how long nodes may go on uploading what waits" },
} as const satisfies Record<string, Option>;

/** What was not reached or not done is said, not failed: an uninstallation that stops half-way is worse. */
export const command: CommandModule<object, Parsed> = {
  command: "retire",
  describe: "make all agents restore their nodes, before the whole system is removed",
  builder: (yargs) => yargs.options(flagsOf(OPTIONS)),
  async handler(argv) {
    const { kubeconfig, systemNamespace, waitMs, testPod } = settingsGiven(argv, OPTIONS);
    const signal = untilStopped();
    const http = await connect(kubeconfig);
    const { reports, labelled } = await retireNodes(http, systemNamespace, waitMs, signal);
    if (testPod !== undefined) await removePod(http, systemNamespace, testPod, signal);
    const labels = labelled.map((node) => `${node}: still labelled; kubectl label node ${node} coredump-\n`);
    await print([...reports.map(line), ...labels].join("") || "no node has an agent\n");
  },
};

const line = ({ node, said, lastSeen }: RetireReport): string =>
  said === undefined
    ? `${node}: not reached (its agent was last seen ${printable(lastSeen ?? "never")}); there, run: coredump-detector uninstall\n`
    : `${node}: ${printable(said)}\n`;
