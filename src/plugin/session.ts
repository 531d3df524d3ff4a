/** Who calls, and whom: a kubeconfig and the flags over it, read as kubectl reads them. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import type { Cluster, Context, KubeConfig, User } from "@kubernetes/client-node";
import { DumpError, reasonOf } from "../domain/failures.ts";
import { connectAs, type KubeAnswers, type KubeRequest } from "../kube/http.ts";

/** kubectl's own flags; each says more than the kubeconfig does. */
export interface Access {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly cluster?: string | undefined;
  readonly user?: string | undefined;
  readonly server?: string | undefined;
  readonly token?: string | undefined;
  readonly namespace?: string | undefined;
  readonly asUser?: string | undefined;
  readonly asGroups: readonly string[];
  readonly insecure: boolean;
  /** How long the server may say nothing; undefined: the default. */
  readonly idleMs?: number | undefined;
}

export interface Session {
  readonly http: KubeAnswers;
  /** The one that is meant where none is named. */
  readonly namespace: string;
  /** For completion. */
  readonly contexts: readonly string[];
}

/** @throws DumpError USAGE, API_UNAVAILABLE when there is no usable kubeconfig */
export async function openSession(access: Access): Promise<Session> {
  const { KubeConfig: Config } = await import("@kubernetes/client-node");
  const { config, context } = read(() => new Config(), access);
  const chosen = { cluster: clusterFor(config, context, access), user: userFor(config, context, access) };
  const load = (): KubeConfig => {
    const loaded = new Config();
    loaded.loadFromClusterAndUser(chosen.cluster, chosen.user);
    return loaded;
  };
  const groups = access.asGroups.length === 0 ? {} : { "impersonate-group": [...access.asGroups] };
  return {
    http: patient(connectAs(load, groups), access.idleMs),
    namespace: access.namespace ?? context?.namespace ?? "default",
    contexts: config.getContexts().map(({ name }) => name),
  };
}

function read(empty: () => KubeConfig, access: Access): { config: KubeConfig; context: Context | undefined } {
  const config = empty();
  try {
    const files = filesFor(access);
    if (files.length === 0) config.loadFromDefault(); // in a pod: its service account
    for (const file of files) merge(config, file, empty());
  } catch (cause) {
    throw new DumpError("API_UNAVAILABLE", `Cannot read the kubeconfig: ${reasonOf(cause)}`, { cause });
  }
  const name = access.context ?? config.getCurrentContext();
  const context = config.getContextObject(name) ?? undefined;
  if (access.context !== undefined && !context)
    throw new DumpError("USAGE", `Cannot use context ${JSON.stringify(name)}: the kubeconfig has none of that name`);
  return { config, context };
}

/** Of those that KUBECONFIG lists some may be missing; one that was named must be there. */
function filesFor({ kubeconfig }: Access): string[] {
  if (kubeconfig !== undefined) return [kubeconfig];
  const listed = (process.env["KUBECONFIG"] ?? "").split(delimiter).filter(Boolean);
  const files = listed.length > 0 ? listed : [join(process.env["HOME"] || homedir(), ".kube/config")];
  return files.filter((file) => existsSync(file));
}

/** Of two entries of a name the first counts. */
function merge(into: KubeConfig, file: string, more: KubeConfig): void {
  more.loadFromFile(file);
  const absent = <T extends { readonly name: string }>(known: readonly T[], found: readonly T[]): T[] => [
    ...known,
    ...found.filter(({ name }) => !known.some((each) => each.name === name)),
  ];
  into.clusters = absent(into.clusters, more.clusters);
  into.users = absent(into.users, more.users);
  into.contexts = absent(into.contexts, more.contexts);
  into.currentContext ||= more.currentContext;
}

function clusterFor(config: KubeConfig, context: Context | undefined, access: Access): Cluster {
  const name = access.cluster ?? context?.cluster ?? "";
  const found = config.getCluster(name) ?? undefined;
  const server = access.server ?? found?.server;
  if (server === undefined) {
    const why = name === "" ? "the kubeconfig names no current context" : `the kubeconfig has no cluster ${name}`;
    throw new DumpError("USAGE", `Cannot tell which cluster is meant: ${why}`, {
      hint: "--context or --server, or kubectl config use-context",
    });
  }
  const cluster: Cluster = { skipTLSVerify: false, ...found, name: "chosen", server };
  return access.insecure ? { ...cluster, skipTLSVerify: true } : cluster;
}

function userFor(config: KubeConfig, context: Context | undefined, access: Access): User {
  const name = access.user ?? context?.user ?? "";
  const found = config.getUser(name) ?? undefined;
  if (access.user !== undefined && !found)
    throw new DumpError("USAGE", `Cannot use user ${JSON.stringify(name)}: the kubeconfig has none of that name`);
  const user: User =
    access.token === undefined ? { ...found, name: "chosen" } : { name: "chosen", token: access.token };
  return access.asUser === undefined ? user : { ...user, impersonateUser: access.asUser };
}

const patient = (http: KubeAnswers, idleMs: number | undefined): KubeAnswers => {
  if (idleMs === undefined) return http;
  const waiting = (request: KubeRequest): KubeRequest => ({ idleMs, ...request });
  return {
    json: (request) => http.json(waiting(request)),
    stream: (request) => http.stream(waiting(request)),
    answer: (request) => http.answer(waiting(request)),
  };
};
