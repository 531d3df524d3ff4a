/** What the agent of a node says of itself on its Lease, for those who cannot reach its port: `helm test`, `kubectl coredump check`. */

/** Annotation of the Lease. */
export const STATUS = "coredump.fujitsu.com/agent-status";

export interface AgentStatus {
  /** As `/readyz` has them; empty: it is at work. */
  readonly problems: readonly string[];
  /** Its store; absent where none is named. */
  readonly store?: StoreStatus;
  /** Dumps that wait for a decision or for the store, and when the oldest of them crashed (ISO 8601). */
  readonly waiting: number;
  readonly oldest?: string;
}

export interface StoreStatus {
  /** The store's name, as it stands in records. */
  readonly volume: string;
  /** Undefined: not known yet. */
  readonly isUp?: boolean | undefined;
  /** Since when it is so (ISO 8601). */
  readonly since: string;
  /** The store's own words while it is not up, and what the operator can do. */
  readonly why?: string | undefined;
  readonly hint?: string | undefined;
}

const MOST_PROBLEMS = 10;
const MOST_CHARACTERS = 500;
const cut = (text: string): string => text.slice(0, MOST_CHARACTERS).toWellFormed();

/** As the annotation's value, some kilobytes at most. */
export function statusText({ problems, store, ...rest }: AgentStatus): string {
  const short = store && { ...store, why: store.why && cut(store.why), hint: store.hint && cut(store.hint) };
  return JSON.stringify({ problems: problems.slice(0, MOST_PROBLEMS).map(cut), store: short, ...rest });
}

/** @returns undefined where there is no agent, or an earlier version's */
export function statusIn(annotations: Readonly<Record<string, string>> | undefined): AgentStatus | undefined {
  try {
    const { problems, store, waiting, oldest } = JSON.parse(annotations?.[STATUS] ?? "") as Partial<AgentStatus>;
    if (!Array.isArray(problems) || !problems.every((problem) => typeof problem === "string")) return undefined;
    const named = typeof store?.volume === "string" && typeof store.since === "string" ? { store } : {};
    return { problems, ...named, waiting: Number(waiting) || 0, ...(typeof oldest === "string" && { oldest }) };
  } catch {
    return undefined;
  }
}
