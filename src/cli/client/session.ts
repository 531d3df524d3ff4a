/** Who calls, and whom: a kubeconfig and the flags over it, read as kubectl reads them. */
import type { Cluster, Context, KubeConfig, User } from "@kubernetes/client-node";
import { DumpError } from "../../domain/failures.ts";
import { connectAs, type KubeAnswers, type KubeRequest } from "../../kube/http.ts";
import { isNamespace } from "../../kube/names.ts";
import { type FoundKubeconfig, kubeconfigOf } from "./kubeconfig.ts";

/** kubectl's own flags; each says more than the kubeconfig does. */
export interface KubectlFlags {
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

/** @throws DumpError USAGE; SETTINGS_INVALID when there is no usable kubeconfig */
export async function openSession(access: KubectlFlags): Promise<Session> {
  const { KubeConfig: Config } = await import("@kubernetes/client-node");
  const found = kubeconfigOf(() => new Config(), access);
  const { config } = found;
  const context = contextIn(found, access);
  const chosen = { cluster: clusterFor(found, context, access), user: userFor(found, context, access) };
  const load = (): KubeConfig => {
    const loaded = new Config();
    loaded.loadFromClusterAndUser(chosen.cluster, chosen.user);
    return loaded;
  };
  const namespace = access.namespace ?? (context?.namespace || "default");
  if (!isNamespace(namespace))
    throw new DumpError("USAGE", `Cannot look into ${JSON.stringify(namespace)}: that is not the name of a namespace`);
  const groups = access.asGroups.length === 0 ? {} : { "impersonate-group": [...access.asGroups] };
  return {
    http: patient(connectAs(load, groups), access.idleMs),
    namespace,
    contexts: config.getContexts().map(({ name }) => name),
  };
}

function contextIn({ config, words }: FoundKubeconfig, access: KubectlFlags): Context | undefined {
  const name = access.context ?? config.getCurrentContext() ?? "";
  const context = config.getContextObject(name) ?? undefined;
  if (access.context !== undefined && !context)
    throw new DumpError("USAGE", `Cannot use context ${JSON.stringify(name)}: the ${words} has none of that name`, {
      hint: "kubectl config get-contexts",
    });
  return context;
}

function clusterFor({ config, words }: FoundKubeconfig, context: Context | undefined, access: KubectlFlags): Cluster {
  const name = access.cluster ?? context?.cluster ?? "";
  const found = config.getCluster(name) ?? undefined;
  const server = access.server ?? found?.server;
  if (server === undefined) {
    const current = access.context ?? config.getCurrentContext() ?? "";
    const why =
      access.cluster !== undefined
        ? `the ${words} has no cluster ${JSON.stringify(name)}`
        : current === ""
          ? `the ${words} names no current context`
          : !context
            ? `the ${words} has no context ${JSON.stringify(current)}, which it names as the current one`
            : `the ${words} has no cluster ${JSON.stringify(name)}, which its context ${JSON.stringify(current)} names`;
    throw new DumpError("USAGE", `Cannot tell which cluster is meant: ${why}`, {
      hint: "--context or --server, or kubectl config use-context",
    });
  }
  if (!/^https?:/.test(server) || !URL.canParse(server))
    throw new DumpError(
      "USAGE",
      `Cannot use server ${JSON.stringify(server)}: it is not an address such as https://host:6443`,
    );
  const cluster: Cluster = { skipTLSVerify: false, ...found, name: "chosen", server };
  // client-node refuses http:, which kubectl takes: it is what `kubectl proxy` listens with.
  return access.insecure || server.startsWith("http:") ? { ...cluster, skipTLSVerify: true } : cluster;
}

function userFor({ config, words }: FoundKubeconfig, context: Context | undefined, access: KubectlFlags): User {
  const name = access.user ?? context?.user ?? "";
  const found = config.getUser(name) ?? undefined;
  if (access.user !== undefined && !found)
    throw new DumpError("USAGE", `Cannot use user ${JSON.stringify(name)}: the ${words} has none of that name`);
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
