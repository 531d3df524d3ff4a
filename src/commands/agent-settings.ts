import { AGENT_OPTIONS, type AgentSettings, CLUSTER_OPTIONS } from "../config/cluster-options.ts";
import { NODE_OPTIONS, type Option } from "../config/options.ts";
import { STORE_OPTIONS } from "../config/store-options.ts";
import { expected, parseValue, valuesOf } from "../config/values.ts";
import { DumpError } from "../domain/failures.ts";
import { type Parsed, settingsOf } from "./flags.ts";

const { dumpDir, verbosity, kubeconfig, nodeName, criEndpoint, dockerHost } = NODE_OPTIONS;
const OF_NODE = { dumpDir, verbosity, kubeconfig, nodeName, criEndpoint, dockerHost };
const OF_CLUSTER = { ...CLUSTER_OPTIONS, ...STORE_OPTIONS, ...AGENT_OPTIONS };

/** All that the agent takes. */
export const AGENT_FLAGS = { ...OF_NODE, ...OF_CLUSTER };

/**
 * Flags, then the environment, then settings.json where the option may stand there, then defaults.
 * @throws DumpError USAGE: an agent that was told nonsense must not start and do something else
 */
export function agentSettings(argv: Parsed): AgentSettings {
  const given = (option: Option): string | undefined => {
    const value = argv[option.flag] ?? (option.env === undefined ? undefined : process.env[option.env] || undefined);
    if (value !== undefined && parseValue(option, String(value)) === undefined) {
      const name = argv[option.flag] === undefined ? option.env : `--${option.flag}`;
      throw new DumpError("USAGE", `Cannot use ${name}=${String(value)}: not ${expected(option)}`);
    }
    return value === undefined ? undefined : String(value);
  };
  return { ...settingsOf(argv, OF_NODE), ...valuesOf(OF_CLUSTER, given, () => undefined) };
}
