/** Events (core/v1): what `kubectl describe` shows beside an object. */
import { isCode } from "../domain/failures.ts";
import type { KubeHttp } from "./http.ts";
import { collection } from "./objects.ts";

/** As long as the API server takes one. */
export const EVENT_MESSAGE_LENGTH = 1024;

interface About {
  readonly metadata: { readonly namespace: string; readonly name?: string; readonly generateName?: string };
  readonly involved: {
    readonly apiVersion?: string;
    readonly kind: string;
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
  };
  readonly reason: string;
  readonly message: string;
  /** Who reports it: a node, a role. */
  readonly from: string;
  readonly host?: string;
  readonly now: Date;
}

export function warningEvent({ metadata, involved, reason, message, from, host, now }: About) {
  const time = now.toISOString().replace(/\.\d+Z$/, "Z");
  const component = "coredump-detector";
  return {
    ...{ apiVersion: "v1", kind: "Event", metadata, type: "Warning", reason, count: 1 },
    involvedObject: { apiVersion: "v1", ...involved },
    message: message.slice(0, EVENT_MESSAGE_LENGTH).toWellFormed(),
    source: { component, ...(host !== undefined && { host }) },
    ...{ reportingComponent: component, reportingInstance: from.slice(0, 128) },
    ...{ firstTimestamp: time, lastTimestamp: time },
  };
}

/** One that is there already, by its name, is not written again. @throws DumpError API_…; NOT_FOUND when its namespace ends */
export async function postEvent(
  http: KubeHttp,
  event: ReturnType<typeof warningEvent>,
  signal: AbortSignal,
): Promise<void> {
  const path = collection("v1", "events", event.metadata.namespace);
  await http.json({ verb: "create", resource: "events", path, body: event, signal }).catch((error) => {
    if (!isCode(error, "API_CONFLICT")) throw error;
  });
}
