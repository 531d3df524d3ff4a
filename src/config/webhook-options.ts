/** Options of the webhook. The first four are the predecessor's. */
import { AGENT_OPTIONS, CONTROLLER_OPTIONS } from "./cluster-options.ts";
import type { Option, Values } from "./options.ts";

export const WEBHOOK_OPTIONS = {
  certFile: {
    flag: "tls-cert-file",
    kind: "text",
    describe: "PEM file of the server's certificate; read again when it changes",
  },
  keyFile: { flag: "tls-private-key-file", kind: "text", describe: "PEM file of its key" },
  clientCaFile: {
    flag: "client-ca-file",
    kind: "text",
    describe: "PEM file of the CA of the API server's client certificate (default: any caller is answered)",
  },
  port: { flag: "bind-port", kind: "integer", min: 1, default: "8443", describe: "HTTPS port to listen on" },
  selfSigned: {
    flag: "self-signed",
    kind: "switch",
    default: "false",
    describe: "make a CA and a certificate, keep them in a Secret, and put the CA into the webhook's configuration",
  },
  names: {
    flag: "names",
    kind: "text",
    describe:
      "with --self-signed: host names and addresses in the certificate (default: coredump-webhook.<namespace>.svc)",
  },
  secret: {
    flag: "secret",
    kind: "text",
    default: "coredump-webhook",
    describe: "with --self-signed: the Secret, in --namespace",
  },
  configuration: {
    flag: "configuration",
    kind: "text",
    default: "coredump-webhook",
    describe: "with --self-signed: the MutatingWebhookConfiguration that gets the CA",
  },
  graceMs: {
    flag: "grace",
    kind: "duration",
    default: "5s",
    describe: "how long to go on answering after SIGTERM, until callers have noticed",
  },
  systemNamespace: {
    ...AGENT_OPTIONS.systemNamespace,
    describe: "namespace of coredump-detector itself, where the Secret is",
  },
  metricsPort: AGENT_OPTIONS.metricsPort,
  kubeconfig: {
    ...CONTROLLER_OPTIONS.kubeconfig,
    describe: "with --self-signed: kubeconfig (default: as kubectl finds it, or the pod's service account)",
  },
  verbosity: CONTROLLER_OPTIONS.verbosity,
} as const satisfies Record<string, Option>;

export type WebhookSettings = Values<typeof WEBHOOK_OPTIONS>;
