/** Captured pods (fixtures/pods) and what becomes of a pod. */
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { ClaimPod } from "../../../src/domain/claim.ts";
import { type Addition, judgePod } from "../../../src/webhook/admission/patch.ts";
import { ROOT } from "../../support/paths.ts";

/** An AdmissionReview of each kind of pod, as an API server sent it, by file name. */
export const REVIEWS: ReadonlyMap<string, string> = new Map(
  globSync("fixtures/pods/*.json", { cwd: ROOT })
    .map((path): [string, string] => [basename(path, ".json"), readFileSync(join(ROOT, path), "utf8")])
    .sort(),
);

export const podOf = (review: string): ClaimPod => JSON.parse(review).request.object;

/** The pod as it is when the API server has carried out the additions: RFC 6902, `add` alone. */
export function patched(pod: ClaimPod, additions: readonly Addition[]): ClaimPod {
  const whole = structuredClone(pod);
  for (const { path, value } of additions) {
    const steps = path.split("/").slice(1);
    const last = steps.pop() ?? "";
    // biome-ignore lint/suspicious/noExplicitAny: a path leads anywhere
    const parent = steps.reduce<any>((at, step) => at[step], whole);
    if (typeof parent !== "object") throw new Error(`${path} leads nowhere`);
    if (Array.isArray(parent)) parent.splice(last === "-" ? parent.length : Number(last), 0, structuredClone(value));
    else parent[last] = structuredClone(value);
  }
  return whole;
}

/** The additions to a pod; a denial's message as text. */
export function additionsTo(pod: ClaimPod): readonly Addition[] | string {
  const verdict = judgePod(pod);
  return verdict.kind === "denied" ? verdict.message : verdict.kind === "patched" ? verdict.additions : [];
}

/** `whole` as far as it was there before: keys of objects, and the first items of lists. */
export function without<T>(whole: T, before: T): T {
  if (Array.isArray(whole) && Array.isArray(before))
    return before.map((item, index) => without(whole[index], item)) as T;
  if (typeof whole !== "object" || typeof before !== "object" || !whole || !before) return whole;
  const known = whole as Record<string, unknown>;
  return Object.fromEntries(Object.entries(before).map(([key, value]) => [key, without(known[key], value)])) as T;
}
