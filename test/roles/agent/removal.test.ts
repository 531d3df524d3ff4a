import assert from "node:assert/strict";
import { test } from "node:test";
import { DumpError, type FailureCode } from "../../../src/domain/failures.ts";
import type { KubeHttp, KubeRequest } from "../../../src/kube/http.ts";
import { keepLease } from "../../../src/roles/agent/lease.ts";
import { endAfter, isRemoved } from "../../../src/roles/agent/removal.ts";

const WHERE = { systemNamespace: "ours", daemonset: "coredump-agent" };
const THERE = { metadata: { name: "coredump-agent", uid: "1" } };
const GOING = { metadata: { ...THERE.metadata, deletionTimestamp: "2026-12-01T00:00:00Z" } };

type Answer = object | FailureCode;

/** @param answers by resource, or by verb and resource */
function api(answers: Readonly<Record<string, Answer>>, asked: KubeRequest[] = []): KubeHttp {
  const json = async <T>(request: KubeRequest): Promise<T> => {
    asked.push(request);
    const answer = answers[`${request.verb} ${request.resource}`] ?? answers[request.resource] ?? "API_UNAVAILABLE";
    if (typeof answer === "string") throw new DumpError(answer, "refused");
    return answer as T;
  };
  return { json, stream: () => assert.fail() };
}

const cases: readonly {
  on: string;
  answers: Record<string, Answer>;
  where?: Parameters<typeof isRemoved>[1];
  want: boolean;
}[] = [
  { on: "this pod's end alone: a rollout, a drain", answers: { daemonsets: THERE }, want: false },
  { on: "a DaemonSet that is gone", answers: { daemonsets: "NOT_FOUND" }, want: true },
  { on: "one that waits for its pods (foreground)", answers: { daemonsets: GOING }, want: true },
  {
    on: "an account without any rights: helm took them",
    answers: { daemonsets: "API_DENIED", leases: "API_DENIED" },
    want: true,
  },
  { on: "a role of an older chart", answers: { daemonsets: "API_DENIED", leases: THERE }, want: false },
  { on: "an API server that went away meanwhile", answers: { daemonsets: "API_DENIED" }, want: false },
  { on: "an API server that is away", answers: {}, want: false },
  {
    on: "an agent of no DaemonSet",
    where: { ...WHERE, daemonset: undefined },
    answers: { daemonsets: "NOT_FOUND" },
    want: false,
  },
];
for (const { on, answers, where = WHERE, want } of cases)
  test(`isRemoved() tells ${on}`, async () => {
    assert.equal(await isRemoved(api(answers), where, "node-1", 0), want);
  });

test("endAfter() ends when the last thing is done, and not before it is asked to", async () => {
  const stop = new AbortController();
  const last = Promise.withResolvers<void>();
  const end = endAfter(stop.signal, () => last.promise);
  stop.abort();
  assert.equal(end.aborted, false);
  last.resolve();
  await new Promise((resolve) => end.addEventListener("abort", resolve, { once: true }));
});

const LEASE = { metadata: { name: "coredump-node-node-1", annotations: {} }, spec: {} };
const OWNER = [{ apiVersion: "apps/v1", kind: "DaemonSet", name: "coredump-agent", uid: "1" }];
const leases: readonly { on: string; answers: Record<string, Answer>; want: readonly unknown[] }[] = [
  {
    on: "a new Lease",
    answers: { "get leases": "NOT_FOUND", "create leases": LEASE, daemonsets: THERE },
    want: ["create", OWNER],
  },
  { on: "a Lease of an older agent", answers: { leases: LEASE, daemonsets: THERE }, want: ["update", OWNER] },
  {
    on: "no Lease once the DaemonSet is gone",
    answers: { "get leases": "NOT_FOUND", daemonsets: "NOT_FOUND" },
    want: [],
  },
];
for (const { on, answers, want } of leases)
  test(`keepLease() gives the DaemonSet ${on}`, async () => {
    const [asked, stop]: [KubeRequest[], AbortController] = [[], new AbortController()];
    const place = { namespace: "ours", node: "node-1", daemonset: "coredump-agent" };
    await keepLease(
      api(answers, asked),
      place,
      () => true,
      () => stop.abort(),
      stop.signal,
    );
    const written = asked.find(({ verb }) => verb !== "get");
    const { metadata } = (written?.body ?? {}) as { metadata?: { ownerReferences: unknown } };
    assert.deepEqual(written ? [written.verb, metadata?.ownerReferences] : [], want);
  });

test("keepLease() renews without an owner where it may not give it one", async () => {
  const stop = new AbortController();
  const owners: unknown[] = [];
  const http: KubeHttp = {
    ...api({}),
    json: async <T>({ verb, resource, body }: KubeRequest): Promise<T> => {
      const answer = resource === "daemonsets" ? THERE : LEASE;
      if (verb !== "update") return answer as T;
      const { ownerReferences } = (body as { metadata: { ownerReferences: unknown[] } }).metadata;
      owners.push(ownerReferences);
      if (ownerReferences.length > 0)
        throw new DumpError("API_DENIED", "cannot set an ownerRef on a resource you can't delete");
      return answer as T;
    },
  };
  const problems: unknown[] = [];
  const told = (problem: unknown) => {
    problems.push(problem);
    stop.abort();
  };
  await keepLease(
    http,
    { namespace: "ours", node: "node-1", daemonset: "coredump-agent" },
    () => true,
    told,
    stop.signal,
  );
  assert.deepEqual(owners, [OWNER, [], []]);
  assert.deepEqual(problems, [undefined]);
});
