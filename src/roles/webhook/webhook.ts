/** The admission webhook: certificates, the port that it is called on, what it tells of itself, its end. */
import type { WebhookSettings } from "../../config/webhook-options.ts";
import { DumpError } from "../../domain/failures.ts";
import { connect } from "../../kube/http.ts";
import { pause } from "../../system/backoff.ts";
import { expiryMs, type KeyPair, keyPairsIn } from "../../system/key-pair.ts";
import { namesOf, ownKeyPairs } from "../../webhook/certificates.ts";
import { type Listener, type ReviewServer, serveReviews } from "../../webhook/server.ts";
import { serveRole } from "../health.ts";
import { roleLog } from "../role.ts";
import type { RoleLog } from "../role-log.ts";
import { WebhookMetrics } from "./metrics.ts";

/** Runs until `signal`. @throws DumpError when it cannot even begin */
export async function runWebhook(settings: WebhookSettings, signal: AbortSignal): Promise<void> {
  const metrics = new WebhookMetrics();
  const log = await roleLog(settings, metrics);
  let expiresMs: number | undefined;
  const problems = () => [...log.problems(), ...problemsOf(expiresMs, signal)];
  await using servers = new AsyncDisposableStack();
  servers.use(await serveRole(settings, metrics, { problems }));
  let server: ReviewServer | undefined;
  for await (const pair of await keyPairs(settings, log, signal)) {
    server?.use(pair);
    server ??= servers.use(await serveReviews(settings.port, pair, listenerFor(log, metrics)));
    expiresMs = expiryMs(pair);
    metrics.expires.set(expiresMs / 1000);
    log.note("Serving", { port: server.port, certificateUntil: new Date(expiresMs).toISOString() });
  }
  if (!server) return;
  server.retire();
  await pause(settings.graceMs, new AbortController().signal); // callers go on until they have noticed that we are not ready
}

async function keyPairs(settings: WebhookSettings, log: RoleLog, signal: AbortSignal): Promise<AsyncIterable<KeyPair>> {
  const onProblem = (problem: unknown) => log.trouble("certificate", problem);
  const { certFile, keyFile, clientCaFile } = settings;
  if (settings.selfSigned && (certFile ?? keyFile) === undefined) {
    namesOf(settings); // a bad one is not to be tried again and again
    const source = { onProblem, nowMs: Date.now };
    return ownKeyPairs(await connect(settings.kubeconfig), settings, source, signal);
  }
  if (settings.selfSigned || !certFile || !keyFile)
    throw new DumpError("USAGE", "Cannot serve: no certificate", {
      hint: "give --tls-cert-file and --tls-private-key-file, or --self-signed alone",
    });
  return keyPairsIn({ certFile, keyFile, clientCaFile }, onProblem, signal);
}

function problemsOf(expiresMs: number | undefined, signal: AbortSignal): string[] {
  if (signal.aborted) return ["ending"];
  if (expiresMs === undefined) return ["there is no certificate to serve yet"];
  return expiresMs > Date.now() ? [] : [`the certificate expired at ${new Date(expiresMs).toISOString()}`];
}

const listenerFor = (log: RoleLog, metrics: WebhookMetrics): Listener => ({
  answered: ({ verdict, namespace }, tookMs) => {
    metrics.reviews.inc({ verdict: verdict.kind });
    metrics.seconds.observe(tookMs / 1000);
    if (verdict.kind === "denied") log.note("Denied", { namespace, why: verdict.message });
  },
  refused: (status) => metrics.refusals.inc({ status }),
});
