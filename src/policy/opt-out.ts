import { OPT_OUT_LABEL } from "../domain/wishes.ts";

export { OPT_OUT_LABEL } from "../domain/wishes.ts";

import type { Identification } from "../identity/runtime.ts";

/** Whether the owner wants no core: a label of the pod, or of a plain Docker container. Unknown labels say nothing. */
export const optedOut = (labels: Identification["labels"]): boolean => labels?.[OPT_OUT_LABEL] === "true";
