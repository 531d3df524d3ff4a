import type { CommandModule } from "yargs";
import { settingsForFile } from "../../node/install/settings-file.ts";
import { agentOnHost } from "../../roles/agent/host.ts";
import { AGENT_FLAGS, agentSettings } from "./agent-settings.ts";
import { flagsOf, type Parsed } from "./flags.ts";
import { asRoot } from "./node-flags.ts";

export const command: CommandModule<object, Parsed> = {
  command: "agent",
  describe: "take this node's dumps into the cluster and the store; runs until stopped",
  builder: (yargs) => yargs.options(flagsOf(AGENT_FLAGS)),
  async handler(argv) {
    asRoot("agent");
    const settings = agentSettings(argv);
    const stopping = new AbortController();
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stopping.abort());
    await agentOnHost(settings, settingsForFile(argv), stopping.signal);
  },
};
