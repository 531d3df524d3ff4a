/**
 * The webhook's own certificate, kept in a Secret for all replicas, and its CA in the webhook's configuration, where the API
 * server looks for whom to trust. Order is what keeps calls from failing (docs/webhook.md).
 */

import { isIP } from "node:net";
import type { WebhookSettings } from "../config/webhook-options.ts";
import { DumpError } from "../domain/failures.ts";
import { ifThere } from "../kube/failures.ts";
import type { KubeHttp } from "../kube/http.ts";
import { collection, type KubeObject, member } from "../kube/objects.ts";
import { backoffMs, pause } from "../system/backoff.ts";
import { type KeyPair, readPem, usable } from "../system/key-pair.ts";
import { type Kept, renewed } from "./pki/renewal.ts";

type CertificateSettings = Pick<
  WebhookSettings,
  "systemNamespace" | "secret" | "configuration" | "names" | "clientCaFile"
>;

interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

interface Configuration extends KubeObject {
  readonly webhooks?: readonly Webhook[];
}

interface Webhook {
  readonly clientConfig: { readonly caBundle?: string };
}

const LOOK_MS = 10_000;
/** API servers learn of a new CA by a watch; until then they would refuse what it signed. */
const SETTLE_MS = 5000;
const REGISTRATION_API = "admissionregistration.k8s.io/v1";
const CONFIGURATIONS = "mutatingwebhookconfigurations";

const HOST = /^([a-z0-9]([a-z0-9-]*[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i;

/** @throws DumpError USAGE for what no certificate can be made for */
export function namesOf({ names, systemNamespace }: Pick<CertificateSettings, "names" | "systemNamespace">): string[] {
  const all = (names ?? `coredump-webhook.${systemNamespace}.svc`).split(",").map((name) => name.trim());
  const wrong = all.find((name) => isIP(name) === 0 && !HOST.test(name));
  if (wrong === undefined) return all;
  const hint = "give host names and addresses without ports, separated by commas";
  throw new DumpError("USAGE", `Cannot use --names: ${JSON.stringify(wrong)} is neither host nor address`, { hint });
}

/**
 * The certificate to serve, then each new one, until the signal aborts. Failures are reported and tried again.
 * @param nowMs  injected: milliseconds since the epoch
 */
export async function* ownKeyPairs(
  http: KubeHttp,
  settings: CertificateSettings,
  { onProblem, nowMs }: { onProblem(problem: unknown): void; nowMs(): number },
  signal: AbortSignal,
): AsyncGenerator<KeyPair> {
  let served: KeyPair | undefined;
  for (let failures = 0; !signal.aborted; ) {
    try {
      const { kept, problem } = await lookAfter(http, settings, nowMs(), signal);
      const pair = pairOf(kept, settings);
      onProblem(problem);
      failures = 0;
      if (served && served.cert !== pair.cert) await pause(SETTLE_MS, signal);
      if (served?.cert !== pair.cert || served.ca !== pair.ca) yield pair;
      served = pair;
      await pause(LOOK_MS, signal);
    } catch (error) {
      if (signal.aborted) return;
      onProblem(error);
      await pause(backoffMs(failures++), signal);
    }
  }
}

function pairOf({ "tls.crt": cert, "tls.key": key }: Kept, { secret, clientCaFile }: CertificateSettings): KeyPair {
  if (clientCaFile === undefined) return { cert, key };
  return usable({ cert, key, ca: readPem(clientCaFile) }, [`Secret ${secret}`, clientCaFile]);
}

interface Look {
  readonly kept: Kept;
  /** There is no configuration: no calls will come, but the certificate is good all the same. */
  readonly problem: unknown;
}

/**
 * One look: Secret and configuration as they should be.
 * @throws DumpError API_CONFLICT when another replica wrote in between: look again
 */
export async function lookAfter(
  http: KubeHttp,
  settings: CertificateSettings,
  nowMs: number,
  signal: AbortSignal,
): Promise<Look> {
  const { configuration: name } = settings;
  const at = { resource: CONFIGURATIONS, path: member(REGISTRATION_API, CONFIGURATIONS, name), signal };
  // Read before the Secret, and written on this version: so no replica puts back a CA older than the present one.
  const configuration = await ifThere(http.json<Configuration>({ verb: "get", ...at }));
  const webhooks = configuration?.webhooks ?? [];
  const kept = await keep(http, settings, bundleIn(webhooks[0]), nowMs, signal);
  if (!configuration) {
    const hint = "install/webhook has one for a Service and one for an address";
    return { kept, problem: new DumpError("NOT_FOUND", `Cannot find ${CONFIGURATIONS} ${name}`, { hint }) };
  }
  if (webhooks.some((webhook) => bundleIn(webhook) !== kept["ca.crt"])) {
    const caBundle = toBase64(kept["ca.crt"]);
    const trusting = webhooks.map((webhook) => ({ ...webhook, clientConfig: { ...webhook.clientConfig, caBundle } }));
    await http.json({ verb: "update", ...at, body: { ...configuration, webhooks: trusting } });
  }
  return { kept, problem: undefined };
}

/** @param trusted  the CAs that the API server knows: without a Secret, others may still serve what they have signed */
async function keep(
  http: KubeHttp,
  settings: CertificateSettings,
  trusted: string,
  nowMs: number,
  signal: AbortSignal,
) {
  const { systemNamespace: namespace, secret: name } = settings;
  const at = { resource: "secrets", path: member("v1", "secrets", name, namespace), signal };
  const secret = await ifThere(http.json<Secret>({ verb: "get", ...at }));
  const kept = secret ? mapValues(secret.data ?? {}, fromBase64) : { "ca.crt": trusted };
  const next = renewed(kept, namesOf(settings), nowMs);
  if (!next) return kept as unknown as Kept; // renewed() found all that it needs
  const data = mapValues({ ...next }, toBase64);
  if (secret) {
    await http.json({ verb: "update", ...at, body: { ...secret, data: { ...secret.data, ...data } } });
  } else {
    const metadata = { name, labels: { "app.kubernetes.io/part-of": "coredump-detector" } };
    const body = { apiVersion: "v1", kind: "Secret", type: "kubernetes.io/tls", metadata, data };
    await http.json({ ...at, verb: "create", path: collection("v1", "secrets", namespace), body });
  }
  return next;
}

const bundleIn = (webhook: Webhook | undefined): string => fromBase64(webhook?.clientConfig.caBundle ?? "");
const fromBase64 = (text: string): string => Buffer.from(text, "base64").toString();
const toBase64 = (text: string): string => Buffer.from(text).toString("base64");
const mapValues = (record: Readonly<Record<string, string>>, map: (text: string) => string): Record<string, string> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
