/** The kubeconfig as kubectl finds it: a file that was named, those of KUBECONFIG, ~/.kube/config; in a pod, its service account. */
import { existsSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import type { KubeConfig } from "@kubernetes/client-node";
import { DumpError, errnoOf, reasonOf } from "../../domain/failures.ts";

/** Where the kubelet puts a pod's own credentials. */
const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/** Those of hundreds of clusters have some hundred kilobytes. */
const MAX_BYTES = 16 << 20;

interface KubeconfigFlags {
  readonly kubeconfig?: string | undefined;
  readonly server?: string | undefined;
}

export interface FoundKubeconfig {
  readonly config: KubeConfig;
  readonly words: string;
}

/**
 * @param empty  makes a configuration without anything in it
 * @returns `config` without anything in it where there is no file, and `server` says enough; `words`: what to call it in messages
 * @throws DumpError SETTINGS_INVALID with the path of the file that cannot be read, or with those that were looked for
 */
export function kubeconfigOf(empty: () => KubeConfig, { kubeconfig, server }: KubeconfigFlags): FoundKubeconfig {
  const config = empty();
  const wanted = kubeconfig !== undefined ? [kubeconfig] : inEnvironment();
  // Of those that KUBECONFIG lists some may be missing; one that was named must be there.
  const files = kubeconfig !== undefined ? wanted : wanted.filter((file) => existsSync(file));
  for (const file of files) merge(config, read(file, empty()));
  if (files.length > 0 || server !== undefined)
    return { config, words: ["kubeconfig", files.join(", ")].join(" ").trim() };
  if (process.env["KUBERNETES_SERVICE_HOST"] === undefined || !existsSync(SERVICE_ACCOUNT)) throw none(wanted);
  config.loadFromCluster();
  return { config, words: "pod's service account" };
}

function inEnvironment(): string[] {
  const listed = (process.env["KUBECONFIG"] ?? "").split(delimiter).filter(Boolean);
  return listed.length > 0 ? listed : [join(process.env["HOME"] || homedir(), ".kube/config")];
}

const none = (wanted: readonly string[]): DumpError =>
  new DumpError(
    "SETTINGS_INVALID",
    `Cannot tell which cluster is meant: there is no kubeconfig at ${wanted.join(", ")}`,
    {
      hint: "Name one with --kubeconfig or KUBECONFIG; kubectl cluster-info shows whether kubectl has one",
    },
  );

function read(file: string, config: KubeConfig): KubeConfig {
  try {
    if (statSync(file).size > MAX_BYTES) throw new Error("it is larger than any kubeconfig");
    config.loadFromFile(file);
    for (const part of [config.clusters, config.users, config.contexts])
      if (!Array.isArray(part)) throw new Error("it is not a kubeconfig");
    return config;
  } catch (cause) {
    const why = errnoOf(cause) === undefined && cause instanceof TypeError ? "it is not a kubeconfig" : reasonOf(cause);
    throw new DumpError("SETTINGS_INVALID", `Cannot read the kubeconfig ${file}: ${why.split("\n", 1)[0]}`, { cause });
  }
}

/** Of two entries of a name the first counts. */
function merge(into: KubeConfig, more: KubeConfig): void {
  const absent = <T extends { readonly name: string }>(known: readonly T[], found: readonly T[]): T[] => [
    ...known,
    ...found.filter(({ name }) => !known.some((each) => each.name === name)),
  ];
  into.clusters = absent(into.clusters, more.clusters);
  into.users = absent(into.users, more.users);
  into.contexts = absent(into.contexts, more.contexts);
  into.currentContext ||= more.currentContext;
}
