/** One thing done or found: a line of output (`✔ pattern   ours, 94 of 127 bytes`), and below it what to do. */
export interface Step {
  /** `warning`: fine so far, but an admin should know. Only a `problem` makes a node unhealthy. */
  readonly level: "ok" | "warning" | "problem";
  /** Empty: belongs to the line above. */
  readonly what: string;
  readonly text: string;
  /** What the operator can do. */
  readonly hint?: string;
}

export const ok = (what: string, text: string): Step => ({ level: "ok", what, text });
export const warning = (what: string, text: string, hint?: string): Step => step("warning", what, text, hint);
export const problem = (what: string, text: string, hint?: string): Step => step("problem", what, text, hint);

const step = (level: Step["level"], what: string, text: string, hint: string | undefined): Step => ({
  level,
  what,
  text,
  ...(hint !== undefined && { hint }),
});
