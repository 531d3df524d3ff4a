/** What an owner says of the cores of a pod or a namespace, and by which names. */

/** Label of a pod or namespace (there also an annotation): `true`, and no core is kept. */
export const OPT_OUT_LABEL = "coredump.fujitsu.com/no-coredump";

/** Annotation of a namespace: the largest dump that its owner wants, which an administrator's limit may undercut. */
export const MAX_SIZE_ANNOTATION = "coredump.fujitsu.com/max-dump-size";

/** Whether the owner wants no core: a label of the pod, or of a plain Docker container. Labels that are not known say nothing. */
export const optedOut = (labels: Readonly<Record<string, string>> | null): boolean =>
  labels?.[OPT_OUT_LABEL] === "true";
