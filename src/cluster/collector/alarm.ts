/** An alarm where an administrator of the cluster looks: an event on our Lease. */
import { createHash } from "node:crypto";
import type { DumpError } from "../../domain/failures.ts";
import { postEvent, warningEvent } from "../../kube/events.ts";
import type { KubeHttp } from "../../kube/http.ts";

/** One event for each different alarm an hour, however often it is raised. @throws DumpError API_… */
export async function tellAlarm(
  http: KubeHttp,
  namespace: string,
  lease: string,
  { message, hint }: DumpError,
  signal: AbortSignal,
): Promise<void> {
  const now = new Date();
  const digest = createHash("sha256")
    .update(`${now.toISOString().slice(0, 13)} ${message}`)
    .digest("hex");
  const event = warningEvent({
    metadata: { name: `${lease}-${digest.slice(0, 12)}`, namespace },
    involved: { apiVersion: "coordination.k8s.io/v1", kind: "Lease", namespace, name: lease },
    reason: "RetentionStopped",
    message: [message, hint].filter(Boolean).join("; "),
    ...{ from: lease, now },
  });
  await postEvent(http, event, signal);
}
