/**
 * Whether the installation works, from outside: what an admin asks after installing and at three in the morning. Reads, and tries
 * one dry-run write as an agent would; changes nothing. Each finding says what to do.
 */
import { DumpError, reasonOf } from "../../domain/failures.ts";
import { problem, type Step } from "../../node/install/step.ts";
import { checkApi, checkDefinitions, checkService, checkWebhook } from "./api.ts";
import type { CheckContext } from "./checked.ts";
import { checkNodes } from "./nodes.ts";
import { checkLeaders, checkPods } from "./parts.ts";
import { checkRights, checkWriting } from "./rights.ts";

/** What a pod may look at that has rights in our own namespace alone: `helm test`. */
export const INSIDE: ReadonlySet<string> = new Set(["parts", "leaders", "nodes"]);

/**
 * All findings, in the order in which one would look. Never throws: what cannot be asked is a finding.
 * @param only  besides whether the API server answers; by default everything
 */
export async function check(checked: CheckContext, only?: ReadonlySet<string>): Promise<Step[]> {
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
  for (const [what, look] of rest) if (!only || only.has(what)) steps.push(...(await told(what, look)));
  return steps;
}

/** @throws DumpError CLUSTER_UNHEALTHY with a problem among them */
export function needHealthy(steps: readonly Step[]): void {
  const problems = steps.filter(({ level }) => level === "problem").length;
  if (problems === 0) return;
  const count = `${problems} ${problems === 1 ? "problem" : "problems"}`;
  throw new DumpError("CLUSTER_UNHEALTHY", `The installation does not work as it should: ${count}`);
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
