import { AGENT_OPTIONS, type AgentSettings, CLUSTER_OPTIONS, HOST_OPTIONS } from "../../config/cluster-options.ts";
import { CAPTURE_OPTIONS, NODE_OPTIONS } from "../../config/options.ts";
import { STORE_OPTIONS } from "../../config/store-options.ts";
import { type Parsed, settingsOf } from "./flags.ts";
import { settingsGiven } from "./given.ts";

const OF_NODE = { ...NODE_OPTIONS, ...CAPTURE_OPTIONS };
const OF_CLUSTER = { ...CLUSTER_OPTIONS, ...STORE_OPTIONS, ...AGENT_OPTIONS, ...HOST_OPTIONS };

/** All that the agent takes. */
export const AGENT_FLAGS = { ...OF_NODE, ...OF_CLUSTER };

/**
 * Flags, then the environment, then settings.json where the option may stand there, then defaults.
 * @throws DumpError USAGE: an agent that was told nonsense must not start and do something else
 */
export const agentSettings = (argv: Parsed): AgentSettings => ({
  ...settingsOf(argv, OF_NODE),
  ...settingsGiven(argv, OF_CLUSTER),
});
