/** kubectl's flags as a session with the API server. */
import { KUBECTL_OPTIONS } from "../../config/kubectl-options.ts";
import { type KubectlFlags, openSession, type Session } from "../client/session.ts";
import { flagsOf, type Parsed } from "../commands/flags.ts";
import { settingsGiven } from "../commands/given.ts";

const { asGroup, ...SINGLE } = KUBECTL_OPTIONS;

export const ACCESS_FLAGS = {
  ...flagsOf(SINGLE),
  [asGroup.flag]: { type: "string", array: true, requiresArg: true, describe: asGroup.describe },
} as const;

/** @throws DumpError USAGE for a flag's bad value */
export function accessOf(argv: Parsed): KubectlFlags {
  const { requestTimeout, ...given } = settingsGiven(argv, SINGLE);
  const groups = argv[asGroup.flag];
  return {
    ...given,
    asGroups: Array.isArray(groups) ? groups.map(String) : [],
    idleMs: requestTimeout === 0 ? 2 ** 31 - 1 : requestTimeout, // kubectl's 0: without limit
  };
}

export const session = (argv: Parsed): Promise<Session> => openSession(accessOf(argv));

/** The flags again, for commands to paste and for kubectl itself. */
export const accessWords = (argv: Parsed): string[] => [
  ...Object.values(SINGLE).flatMap(({ flag, kind }) => {
    const value = argv[flag];
    if (value === undefined || flag === "namespace" || value === false) return [];
    return kind === "switch" ? [`--${flag}`] : [`--${flag}=${value}`];
  }),
  ...(Array.isArray(argv["as-group"]) ? argv["as-group"].map((group) => `--as-group=${group}`) : []),
];
