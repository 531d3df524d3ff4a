/** Which nodes are labelled as ones that capture dumps. Pure; the controller carries it out. */

export const NODE_LABEL = "coredump";
/** On a node whose label is ours: one that an admin set stays. */
export const LABELLED_BY = "coredump.fujitsu.com/labelled-by";
export const CONTROLLER = "coredump-controller";

/** Agents renew a Lease of this name, of the namespace that they run in. */
export const AGENT_LEASE = "coredump-node-";

export interface NodeLabels {
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/**
 * @param isServed  an agent of that node is alive
 * @returns what to merge into the node's metadata; undefined when it is as it should be
 */
export function labelChange({ labels = {}, annotations = {} }: NodeLabels, isServed: boolean) {
  const isOurs = annotations[LABELLED_BY] === CONTROLLER;
  if (isServed && labels[NODE_LABEL] === undefined)
    return { labels: { [NODE_LABEL]: "true" }, annotations: { [LABELLED_BY]: CONTROLLER } };
  if (!isServed && isOurs) return { labels: { [NODE_LABEL]: null }, annotations: { [LABELLED_BY]: null } };
  return undefined;
}
