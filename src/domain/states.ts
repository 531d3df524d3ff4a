/**
 * The states of a dump, each once: what may follow, where its core is, and its words. The same names stand in records, in
 * the API and in the code. All that asks "is it over?" or "does it count?" is derived here, from the stage.
 * Who takes which step is said in docs/architecture.md, States.
 */

/**
 * - arriving    bytes are coming in
 * - undecided   the core is on the node, and whether it may leave is not decided
 * - allowed     the core is on the node, on its way into the store: charged
 * - restricted  the core is on the node, and never leaves it
 * - stored      the core is in the store, and there only: charged
 * - dropped     by a decision the core is nowhere
 * - lost        the core is nowhere, and that was no decision
 */
export type Stage = "arriving" | "undecided" | "allowed" | "restricted" | "stored" | "dropped" | "lost";

interface StateTraits<S extends string> {
  readonly stage: Stage;
  /** A step that is not here cannot happen. */
  readonly next: readonly S[];
  /** Why its owner cannot have the core; the dump's own message says more. */
  readonly why: string;
  readonly colour?: "green" | "yellow" | "red" | "gray";
}

const table = <S extends string>(states: Record<S, StateTraits<NoInfer<S>>>): Readonly<Record<S, StateTraits<S>>> =>
  states;

const TABLE = table({
  Capturing: {
    stage: "arriving",
    next: ["Captured", "Restricted", "Refused", "Lost", "Evicted", "Deleted"],
    why: "it is still being captured",
    colour: "yellow",
  },
  Captured: {
    stage: "undecided",
    next: ["Created", "Restricted", "Refused", "Evicted", "Deleted"],
    why: "it is on the node, and not registered yet",
  },
  Created: {
    stage: "undecided",
    // Restricted after all: an earlier version took a process for ordinary without knowing whether it was dumpable.
    next: ["Allowed", "Denied", "Restricted", "Refused", "Evicted", "Deleted"],
    why: "it waits for the quota's decision",
  },
  Allowed: {
    stage: "allowed",
    // Denied after all: its object was lost (etcd restored), so it was registered again, and judged again.
    next: ["Saved", "FailedToSave", "Denied", "Restricted", "Evicted", "Deleted"],
    why: "it is on its way into the store",
  },
  Denied: { stage: "dropped", next: ["Deleted"], why: "over quota", colour: "red" },
  Saved: { stage: "stored", next: ["Deleted"], why: "it is in the store", colour: "green" },
  FailedToSave: {
    stage: "allowed", // a failed upload is tried again
    next: ["Saved", "Denied", "Restricted", "Evicted", "Deleted"],
    why: "it could not be stored, and will be tried again",
    colour: "red",
  },
  Refused: { stage: "dropped", next: ["Deleted"], why: "refused on the node", colour: "red" },
  Restricted: {
    stage: "restricted",
    next: ["Refused", "Evicted", "Deleted"],
    why: "the process was not dumpable (it changed its ids, or was set-uid), and its memory is never served",
    colour: "yellow",
  },
  Evicted: {
    stage: "dropped",
    next: ["Deleted"],
    why: "the node needed the room for newer dumps",
    colour: "gray",
  },
  Deleted: { stage: "dropped", next: [], why: "it was removed from the store", colour: "gray" },
  Lost: { stage: "lost", next: ["Deleted"], why: "the kernel handed over nothing", colour: "red" },
});

export type State = keyof typeof TABLE;

export const STATES = Object.keys(TABLE) as readonly State[];

/** Whether it is a state that this version knows: the API may have those of a later one. */
export const isState = (state: string | undefined): state is State =>
  state !== undefined && Object.hasOwn(TABLE, state);

/** @returns undefined for a state that this version does not know */
export const traitsOf = (state: string | undefined): StateTraits<State> | undefined =>
  isState(state) ? TABLE[state] : undefined;

export const mayFollow = (from: State, to: State): boolean => TABLE[from].next.includes(to);

/** States that this version does not know are in no set. */
function among(...stages: readonly Stage[]): (state: string | undefined) => boolean {
  const those: ReadonlySet<string | undefined> = new Set(STATES.filter((state) => stages.includes(TABLE[state].stage)));
  return (state) => those.has(state);
}

/** A core is on its way into the store, or may be. */
export const isOnItsWay = among("arriving", "undecided", "allowed");
/** Complete on the node, and not in the store yet. */
export const awaitsStore = among("undecided", "allowed");
/** Whether it may leave the node is open. */
export const isUndecided = among("arriving", "undecided");
/** It may leave the node. */
export const isAllowed = among("allowed");
/** It counts against its namespace's quotas. */
export const isCharged = among("allowed", "stored");
/** The node holds nothing of it any more. */
export const isOver = among("stored", "dropped", "lost");
/** Nothing of it is held anywhere. */
export const isGone = among("dropped", "lost");
/** The very meaning is a decision that the local copy is not needed. An error never leads here. */
export const isDecision = among("stored", "dropped");

/** What a reason in a record or a Coredump says, in a few words. */
export const REASONS = {
  /** The label, or RLIMIT_CORE where it is honoured. */
  OptedOut: "opted out",
  HostIgnored: "host processes are not kept here",
  Chained: "passed on to the pattern's former owner",
  /** Known before the first byte of memory. */
  TooBig: "too big",
  /** In the cache or on its disk, even after eviction. */
  NoRoom: "no room",
  OverQuota: "over the quota",
  /** `%d` ≠ 1, or not known. */
  NotDumpable: "the process was not dumpable",
  NothingReceived: "the kernel sent nothing",
  /** Kept, but cut short: `core.truncation` says why. */
  Truncated: "cut short",
  MadeRoom: "made room for a newer dump",
  OwnerDeleted: "deleted by its owner",
  OperatorDeleted: "deleted by an operator",
  /** Read from /dev/kmsg. */
  KernelGaveUp: "the kernel gave up",
} as const;

export type Reason = keyof typeof REASONS;
