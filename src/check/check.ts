/**
 * Whether the installation works, from outside: what an admin asks after installing and at three in the morning. Reads, and tries
 * one dry-run write as an agent would; changes nothing. Each finding says what to do.
 */
import { reasonOf } from "../domain/failures.ts";
import { problem, type Step } from "../install/step.ts";
import type { KubeAnswers } from "../kube/http.ts";
import { checkApi, checkDefinitions, checkService, checkWebhook } from "./api.ts";
import { checkNodes } from "./nodes.ts";
import { checkLeaders, checkPods } from "./parts.ts";
import { checkRights, checkWriting } from "./rights.ts";

export interface Checked {
  readonly http: KubeAnswers;
  /** Of our own parts. */
  readonly namespace: string;
  readonly signal: AbortSignal;
}

/** The API server's clock against ours, milliseconds: added to ours it gives the server's. */
export interface Clock {
  readonly aheadMs: number;
}

/** All findings, in the order in which one would look. Never throws: what cannot be asked is a finding. */
export async function check(checked: Checked): Promise<Step[]> {
  const clock = { aheadMs: 0 };
  const steps = await told("api", () => checkApi(checked, clock));
  if (steps.some(({ level }) => level === "problem")) return steps; // the rest would say the same
  const rest: readonly (readonly [string, () => Promise<Step[]>])[] = [
    ["crds", () => checkDefinitions(checked)],
    ["writing", () => checkWriting(checked)],
    ["apiservice", () => checkService(checked)],
    ["webhook", () => checkWebhook(checked)],
    ["rights", () => checkRights(checked)],
    ["parts", () => checkPods(checked)],
    ["leaders", () => checkLeaders(checked, clock)],
    ["nodes", () => checkNodes(checked, clock)],
  ];
  for (const [what, look] of rest) steps.push(...(await told(what, look)));
  return steps;
}

async function told(what: string, look: () => Promise<Step[]>): Promise<Step[]> {
  try {
    return await look();
  } catch (error) {
    const { hint } = error as { hint?: string };
    return [
      problem(what, reasonOf(error), hint ?? "use credentials that may look there, or ask an admin of the cluster"),
    ];
  }
}
