/**
 * How a node's service ends before all of it is removed: `retire` asks on the Lease of the node's agent, the agent gives the
 * node back, waits for what is on its way to the store, and says on the same Lease what became of it. helm does not ask: it
 * only makes the Lease `coredump-uninstall`, and agents whose DaemonSet is gone retire by themselves (roles/agent/removal.ts).
 */

/** Lease that helm makes before a removal and takes away after it: from when it is seen until it ends, no node is labelled. */
export const UNINSTALL_LEASE = "coredump-uninstall";

/** Annotation of the Lease: until when (RFC 3339) uploads may go on. As long as it is there no agent takes the pattern. */
export const RETIRE = "coredump.fujitsu.com/retire";
/** Annotation of the Lease: what the agent did and what it left, in words. */
export const RETIRED = "coredump.fujitsu.com/retired";
