/** Flags of `kubectl coredump`, named and meant as kubectl's own. The environment is kubectl's, too: KUBECONFIG, nothing else. */
import type { Option } from "./options.ts";

export const KUBECTL_OPTIONS = {
  namespace: {
    flag: "namespace",
    short: "n",
    kind: "text",
    describe: "namespace of the dumps (default: the context's)",
  },
  kubeconfig: { flag: "kubeconfig", kind: "text", describe: "kubeconfig (default: KUBECONFIG, then ~/.kube/config)" },
  context: { flag: "context", kind: "text", describe: "context of the kubeconfig" },
  cluster: { flag: "cluster", kind: "text", describe: "cluster of the kubeconfig" },
  user: { flag: "user", kind: "text", describe: "user of the kubeconfig" },
  server: { flag: "server", short: "s", kind: "text", describe: "address of the API server" },
  token: { flag: "token", kind: "text", describe: "bearer token, instead of the user's credentials" },
  asUser: { flag: "as", kind: "text", describe: "user to act as" },
  asGroup: { flag: "as-group", kind: "text", describe: "group to act as; can be repeated" },
  insecure: {
    flag: "insecure-skip-tls-verify",
    kind: "switch",
    default: "false",
    describe: "accept any certificate of the server",
  },
  requestTimeout: {
    flag: "request-timeout",
    kind: "duration",
    describe: "how long to wait for an answer (default: 30s)",
  },
} as const satisfies Record<string, Option>;
