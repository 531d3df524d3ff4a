/** Tells a crash's owner, on the pod: as often as an event is of use, and no more. */
import { isCode } from "../../domain/failures.ts";
import { postEvent } from "../../kube/events.ts";
import type { KubeHttp } from "../../kube/http.ts";
import { conflictEvent, deliveryEvent, podEvent, quotaEvent } from "../registration/events.ts";
import type { EventRecorder } from "./context.ts";

/** A namespace's crashes that are reported at once, and how long until there may be one more. */
const BURST = 25;
const REFILL_MS = 10_000;
/** An old crash that is only now registered (the API was away for days) is in the list; its pod's events are of today. */
const NEWS_MS = 3600_000;
const SEND_MS = 5000;
/** Events that are remembered, so as not to be sent again. A restarted agent sends some again, which the API server refuses by their names. */
const MOST_SENT = 1000;

/** @param onProblem gets why an event could not be sent, for which no dump waits; and undefined when one was */
export function eventRecorder(
  http: KubeHttp,
  node: string,
  onProblem: (problem: unknown) => void,
  now = () => new Date(),
): EventRecorder {
  const sent = new Set<string>();
  const crashes = new TokenBuckets(BURST, REFILL_MS);
  const warnings = new TokenBuckets(1, NEWS_MS);
  const send = (event: Parameters<typeof postEvent>[1]) => sendEvent(http, event, onProblem);
  return {
    crash: async (record, coredump) => {
      const { namespace } = record.pod;
      const nowMs = now().getTime();
      const news = `${record.id} ${record.state === "Denied"}`;
      if (sent.has(news)) return;
      sent.add(news);
      if (sent.size > MOST_SENT) sent.delete(sent.values().next().value ?? "");
      if (nowMs - Date.parse(record.dumptime) > NEWS_MS || !crashes.take(namespace, nowMs)) return;
      await send(podEvent(record, coredump, now()));
    },
    delivery: async (record) => await send(deliveryEvent(record, now())),
    nearlyFull: async ({ name, uid }, heldBytes, quotaBytes) => {
      if (warnings.take(name, now().getTime()))
        await send(quotaEvent({ name, uid }, heldBytes, quotaBytes, { node, now: now() }));
    },
  };
}

/** Tells the node's admins that another program has the pattern: an event on the node. */
export async function tellOfConflict(
  http: KubeHttp,
  node: string,
  pattern: string,
  onProblem: (problem: unknown) => void,
): Promise<void> {
  await sendEvent(http, conflictEvent(pattern, { node, now: new Date() }), onProblem);
}

async function sendEvent(
  http: KubeHttp,
  event: Parameters<typeof postEvent>[1],
  onProblem: (problem: unknown) => void,
) {
  try {
    await postEvent(http, event, AbortSignal.timeout(SEND_MS));
    onProblem(undefined);
  } catch (error) {
    if (!isCode(error, "NOT_FOUND")) onProblem(error); // its namespace is going away
  }
}

/** So many at once for each key, and one more each while. */
class TokenBuckets {
  readonly #most: number;
  readonly #refillMs: number;
  readonly #byKey = new Map<string, { left: number; sinceMs: number }>();

  constructor(most: number, refillMs: number) {
    this.#most = most;
    this.#refillMs = refillMs;
  }

  take(key: string, nowMs: number): boolean {
    const { left, sinceMs } = this.#byKey.get(key) ?? { left: this.#most, sinceMs: nowMs };
    const refilled = Math.max(0, Math.floor((nowMs - sinceMs) / this.#refillMs));
    const now = Math.min(this.#most, left + refilled);
    this.#byKey.set(key, { left: Math.max(0, now - 1), sinceMs: sinceMs + refilled * this.#refillMs });
    return now > 0;
  }
}
