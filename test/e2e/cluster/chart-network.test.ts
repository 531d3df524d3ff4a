/** Who reaches whom under the chart's NetworkPolicies, by their meaning; no network is there to enforce them in a test's cluster. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { CHART, helm } from "../../support/helm.ts";
import type { Resource } from "../../support/kubectl.ts";
import { ROOT } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("cluster");
type Labels = Readonly<Record<string, string>>;
interface Peer {
  readonly podSelector?: { readonly matchLabels?: Labels };
  readonly namespaceSelector?: { readonly matchLabels?: Labels };
  readonly ipBlock?: { readonly cidr: string };
}
interface Caller {
  readonly namespace: string;
  readonly labels: Labels;
  /** Of one that is no pod. */
  readonly address?: string;
}

const OURS = "ibm-observe";
const has = (labels: Labels, selector: { readonly matchLabels?: Labels } | undefined): boolean =>
  Object.entries(selector?.matchLabels ?? {}).every(([key, value]) => labels[key] === value);

/** As the API documents a peer (networking.k8s.io/v1): without a namespaceSelector it is one of the policy's own namespace. */
const isPeer = ({ namespace, labels, address }: Caller, { ipBlock, namespaceSelector, podSelector }: Peer): boolean => {
  if (ipBlock) return address !== undefined && ipBlock.cidr === `${address}/32`;
  const inNamespace = namespaceSelector
    ? has({ "kubernetes.io/metadata.name": namespace }, namespaceSelector)
    : namespace === OURS;
  return address === undefined && inNamespace && has(labels, podSelector);
};

/** Policies add up; a pod that none selects is open. */
function mayReach(policies: readonly Resource[], from: Caller, to: Labels, port: number): boolean {
  const selecting = policies.filter(({ spec }) => has(to, spec.podSelector) && spec.policyTypes.includes("Ingress"));
  const rules = selecting.flatMap(
    ({ spec }) => (spec.ingress ?? []) as { ports?: { port: number }[]; from?: Peer[] }[],
  );
  const isLetIn = rules.some(
    (rule) =>
      (rule.ports?.some((each) => each.port === port) ?? true) &&
      (rule.from?.some((peer) => isPeer(from, peer)) ?? true),
  );
  return selecting.length === 0 || isLetIn;
}

describe("the chart's NetworkPolicies", { skip }, () => {
  let pods: Record<string, Labels>;
  let closed: Resource[];
  let asItComes: Resource[];
  const policiesOf = (objects: readonly Resource[]) => objects.filter(({ kind }) => kind === "NetworkPolicy");
  const render = async (...flags: readonly string[]): Promise<Resource[]> => {
    const all = [
      "--set=etcd.enabled=true,webhook.enabled=true,store.url=s3://cores,store.options.s3-region=x",
      ...flags,
    ];
    const text = await helm(undefined, "template", "dumps", CHART, `--namespace=${OURS}`, ...all);
    return parseAllDocuments(text).flatMap((document) => (document.toJS() as Resource | null) ?? []);
  };

  before(async () => {
    const objects = await render();
    asItComes = policiesOf(objects);
    closed = policiesOf(
      await render(
        "--set=networkPolicy.apiServerFrom[0].ipBlock.cidr=10.0.0.10/32",
        "--set=networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.kubernetes\\.io/metadata\\.name=monitoring",
      ),
    );
    const templates = objects.filter(({ spec }) => spec?.template).map(({ spec }) => spec.template.metadata.labels);
    pods = Object.fromEntries(templates.map((labels) => [labels["app.kubernetes.io/name"], labels]));
  });

  const pod = (name: string): Caller => ({ namespace: OURS, labels: pods[name] ?? assert.fail(name) });
  const stranger: Caller = { namespace: "shop", labels: { app: "web" } };
  const impostor = (): Caller => ({ namespace: "shop", labels: pods["coredump-api"] ?? {} });
  const prometheus: Caller = { namespace: "monitoring", labels: { app: "prometheus" } };
  const kubeApiserver: Caller = { namespace: "", labels: {}, address: "10.0.0.10" };
  const to = (policies: readonly Resource[], from: Caller, name: string, port: number) =>
    mayReach(policies, from, pods[name] ?? assert.fail(name), port);

  test("the API server reaches its etcd, and nobody else does", () => {
    for (const policies of [asItComes, closed]) {
      assert.ok(to(policies, pod("coredump-api"), "etcd", 2379));
      for (const other of [stranger, impostor(), prometheus, kubeApiserver, pod("coredump-agent"), pod("coredump-gc")])
        assert.ok(!to(policies, other, "etcd", 2379), JSON.stringify(other));
      for (const port of [2380, 2381]) assert.ok(!to(policies, pod("coredump-api"), "etcd", port));
    }
  });

  test("figures are for nobody, or for those that are named", () => {
    for (const part of ["coredump-agent", "coredump-controller", "coredump-gc", "coredump-webhook"]) {
      for (const caller of [stranger, prometheus, kubeApiserver, pod("coredump-api")])
        assert.ok(!to(asItComes, caller, part, 9099), `${part} ${JSON.stringify(caller)}`);
      assert.ok(to(closed, prometheus, part, 9099), part);
      assert.ok(to(closed, kubeApiserver, part, 9099), part);
      for (const caller of [stranger, impostor()]) assert.ok(!to(closed, caller, part, 9099), part);
    }
  });

  test("the kube-apiserver calls API server and webhook, and where it is named nobody else does", () => {
    for (const part of ["coredump-api", "coredump-webhook"]) {
      for (const policies of [asItComes, closed]) assert.ok(to(policies, kubeApiserver, part, 8443), part);
      for (const caller of [stranger, impostor(), prometheus, pod("coredump-agent")])
        assert.ok(!to(closed, caller, part, 8443), `${part} ${JSON.stringify(caller)}`);
    }
  });

  test("where its calls come through konnectivity, its agents' pods are named, as docs/operations.md has it", async () => {
    const page = readFileSync(join(ROOT, "docs/operations.md"), "utf8");
    const [peer] = /\{ namespaceSelector: .*konnectivity-agent \} \} \}/.exec(page) ?? assert.fail("it is not there");
    const named = policiesOf(await render(`--set-json=networkPolicy.apiServerFrom=${JSON.stringify([parse(peer)])}`));
    const labels = { "k8s-app": "konnectivity-agent" };
    for (const part of ["coredump-api", "coredump-webhook"]) {
      assert.ok(to(named, { namespace: "kube-system", labels }, part, 8443), part);
      for (const caller of [stranger, impostor(), { namespace: "shop", labels }])
        assert.ok(!to(named, caller, part, 8443), `${part} ${JSON.stringify(caller)}`);
    }
  });

  test("every pod of ours is under one, and on no other port open", () => {
    for (const [name, labels] of Object.entries(pods))
      for (const port of [80, 443, 2380, 10250])
        assert.ok(!mayReach(asItComes, stranger, labels, port), `${name} ${port}`);
  });
});
