/** An alarm where an administrator of the cluster looks: an event on our Lease. */
import { createHash } from "node:crypto";
import { DumpError } from "../../domain/failures.ts";
import type { KubeHttp } from "../../kube/http.ts";
import { collection } from "../../kube/objects.ts";

const MESSAGE_LENGTH = 1024;

/** One event for each different alarm an hour, however often it is raised. @throws DumpError API_… */
export async function tellAlarm(
  http: KubeHttp,
  namespace: string,
  lease: string,
  { message, hint }: DumpError,
  signal: AbortSignal,
): Promise<void> {
  const now = new Date();
  const time = now.toISOString().replace(/\.\d+Z$/, "Z");
  const digest = createHash("sha256")
    .update(`${time.slice(0, 13)} ${message}`)
    .digest("hex")
    .slice(0, 12);
  const body = {
    ...{ apiVersion: "v1", kind: "Event", metadata: { name: `${lease}-${digest}`, namespace } },
    involvedObject: { apiVersion: "coordination.k8s.io/v1", kind: "Lease", namespace, name: lease },
    ...{ type: "Warning", reason: "RetentionStopped", count: 1, firstTimestamp: time, lastTimestamp: time },
    message: [message, hint].filter(Boolean).join("; ").slice(0, MESSAGE_LENGTH).toWellFormed(),
    ...{
      source: { component: "coredump-detector" },
      reportingComponent: "coredump-detector",
      reportingInstance: lease,
    },
  };
  try {
    const path = collection("v1", "events", namespace);
    await http.json({ verb: "create", resource: "events", path, body, signal });
  } catch (error) {
    if (!(error instanceof DumpError) || error.code !== "API_CONFLICT") throw error;
  }
}
