/** Tells a crash's owner, on the pod: as often as an event is of use, and no more. */
import { DumpError } from "../domain/failures.ts";
import type { KubeHttp } from "../kube/http.ts";
import { collection } from "../kube/objects.ts";
import { podEvent } from "../registration/events.ts";
import type { Desk } from "./agent-desk.ts";

/** A namespace's crashes that are told at once, and how long until there may be one more. */
const BURST = 25;
const REFILL_MS = 10_000;
/** An old crash that is only now registered (the API was away for days) is in the list; its pod's events are of today. */
const NEWS_MS = 3600_000;

/** @param onProblem gets what could not be told; a dump does not wait for that */
export function announcer(
  http: KubeHttp,
  onProblem: (error: unknown) => void,
  now = () => new Date(),
): Desk["announce"] {
  const allowance = new Map<string, { left: number; sinceMs: number }>();
  return async (record, name) => {
    const { namespace } = record.pod;
    const nowMs = now().getTime();
    if (nowMs - Date.parse(record.dumptime) > NEWS_MS || !isAllowed(namespace, nowMs)) return;
    const body = podEvent(record, name, now());
    const path = collection("v1", "events", namespace);
    await http.json({ verb: "create", resource: "events", path, body }).catch((error: unknown) => {
      if (!(error instanceof DumpError && error.code === "API_CONFLICT")) onProblem(error); // told before
    });
  };

  function isAllowed(namespace: string, nowMs: number): boolean {
    const seen = allowance.get(namespace) ?? { left: BURST, sinceMs: nowMs };
    const refilled = Math.floor((nowMs - seen.sinceMs) / REFILL_MS);
    const left = Math.min(BURST, seen.left + refilled);
    allowance.set(namespace, { left: Math.max(0, left - 1), sinceMs: seen.sinceMs + refilled * REFILL_MS });
    return left > 0;
  }
}
