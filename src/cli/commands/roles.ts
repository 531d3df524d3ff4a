/** The long-running roles as commands: each takes options and runs until it is stopped. */
import type { CommandModule } from "yargs";
import { APISERVER_FLAGS } from "../../config/apiserver-options.ts";
import {
  AGENT_OPTIONS,
  type AgentSettings,
  CLUSTER_OPTIONS,
  CONTROLLER_OPTIONS,
  HOST_OPTIONS,
} from "../../config/cluster-options.ts";
import { GC_OPTIONS } from "../../config/gc-options.ts";
import { CAPTURE_OPTIONS, NODE_OPTIONS, type Option, type Values } from "../../config/options.ts";
import { STORE_OPTIONS } from "../../config/store-options.ts";
import { WEBHOOK_OPTIONS } from "../../config/webhook-options.ts";
import { settingsForFile } from "../../node/install/settings-file.ts";
import { print } from "../output/print.ts";
import { flagsOf, type Parsed, settingsOf } from "./flags.ts";
import { settingsGiven } from "./given.ts";
import { asRoot } from "./node-flags.ts";

type Role = CommandModule<object, Parsed>;

const OF_NODE = { ...NODE_OPTIONS, ...CAPTURE_OPTIONS };
const OF_CLUSTER = { ...CLUSTER_OPTIONS, ...STORE_OPTIONS, ...AGENT_OPTIONS, ...HOST_OPTIONS };

/** All that the agent takes. */
export const AGENT_FLAGS = { ...OF_NODE, ...OF_CLUSTER };

/**
 * Flags, then the environment, then settings.json where the option may stand there, then defaults.
 * @throws DumpError USAGE: an agent with settings that cannot be meant must not start and do something else
 */
export const agentSettings = (argv: Parsed): AgentSettings => ({
  ...settingsOf(argv, OF_NODE),
  ...settingsGiven(argv, OF_CLUSTER),
});

/** Aborts at SIGTERM and SIGINT: what runs then ends in good order. */
export function untilStopped(): AbortSignal {
  const stopping = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stopping.abort());
  return stopping.signal;
}

/** @param run  loads the role: most are in a script of their own (install/build/scripts.ts) */
const role = <T extends Record<string, Option>>(
  command: string,
  describe: string,
  options: T,
  run: (settings: Values<T>, signal: AbortSignal) => Promise<void>,
): Role => ({
  ...{ command, describe: `${describe}; runs until stopped` },
  builder: (yargs) => yargs.options(flagsOf(options)),
  handler: (argv) => run(settingsGiven(argv, options), untilStopped()),
});

export const agent: Role = {
  command: "agent",
  describe: "take this node's dumps into the cluster and the store; runs until stopped",
  builder: (yargs) => yargs.options(flagsOf(AGENT_FLAGS)),
  async handler(argv) {
    asRoot("agent");
    const { agentOnHost } = await import("../../roles/agent/host.ts");
    await agentOnHost(agentSettings(argv), settingsForFile(argv), untilStopped());
  },
};

export const controller = role(
  "controller",
  "allow and deny dumps by the quotas",
  CONTROLLER_OPTIONS,
  async (settings, signal) => (await import("../../roles/controller/controller.ts")).runController(settings, signal),
);

export const webhook = role(
  "webhook",
  "mount the volume into pods that name a claim",
  WEBHOOK_OPTIONS,
  async (settings, signal) => (await import("../../roles/webhook/webhook.ts")).runWebhook(settings, signal),
);

export const apiserver = role(
  "apiserver",
  "serve coredumpendpoints and the bytes of dumps through the cluster's API",
  APISERVER_FLAGS,
  async (settings, signal) => (await import("../../roles/apiserver/apiserver.ts")).runApiserver(settings, signal),
);

export const gc = role("gc", "remove bundles whose time has come", GC_OPTIONS, async (settings, signal) => {
  const { dryRun, runGc } = await import("../../roles/gc/gc.ts");
  if (!settings.dryRun) return await runGc(settings, signal);
  const { lines, alarm } = await dryRun(settings, signal);
  await print(lines.map((line) => `${line}\n`).join(""));
  if (alarm) throw alarm;
});
