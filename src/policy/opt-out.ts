import type { Identification } from "../identity/runtime.ts";

export const OPT_OUT_LABEL = "coredump.fujitsu.com/no-coredump";

/** Whether the owner wants no core: a label of the pod, or of a plain Docker container. Unknown labels say nothing. */
export const optedOut = (labels: Identification["labels"]): boolean => labels?.[OPT_OUT_LABEL] === "true";
