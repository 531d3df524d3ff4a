import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeKeeper } from "../../../src/cluster/controller/nodes.ts";
import { UNINSTALL_LEASE } from "../../../src/cluster/policy/retirement.ts";
import type { KubeHttp, KubeRequest } from "../../../src/kube/http.ts";
import type { KubeObject } from "../../../src/kube/objects.ts";

const object = (name: string, namespace?: string): KubeObject => ({
  metadata: { name, ...(namespace && { namespace }), uid: name, resourceVersion: "1" },
});

test("NodeKeeper.keep() takes labels off from when helm removes everything, until that Lease ends", async () => {
  let version = 1;
  const http: KubeHttp = {
    json: async <T>({ body }: KubeRequest): Promise<T> => {
      const { labels, annotations } = (body as KubeObject).metadata;
      const given = Object.fromEntries(Object.entries({ ...annotations }).filter(([, value]) => value !== null));
      const set = Object.fromEntries(Object.entries({ ...labels }).filter(([, value]) => value !== null));
      version += 1;
      const metadata = { ...object("node-1").metadata, resourceVersion: `${version}`, labels: set, annotations: given };
      return { metadata } as T;
    },
    stream: () => assert.fail(),
  };
  const changed: string[] = [];
  const keeper = new NodeKeeper(http, "ours", (node) => changed.push(node));
  const { signal } = new AbortController();
  keeper.nodes.put(object("node-1"));
  keeper.leases.put({ ...object("coredump-node-node-1", "ours"), spec: { leaseDurationSeconds: 40 } });
  assert.equal((await keeper.keep("node-1", signal)).labelled, true);

  changed.length = 0;
  keeper.leases.put({ ...object(UNINSTALL_LEASE, "ours"), spec: { leaseDurationSeconds: 0.2 } });
  assert.deepEqual(changed, ["node-1"]);
  const { labelled, againMs = 0 } = await keeper.keep("node-1", signal);
  assert.equal(labelled, false);
  assert.ok(againMs > 0 && againMs <= 201, `${againMs}`);
  await new Promise((resolve) => setTimeout(resolve, againMs));
  assert.equal((await keeper.keep("node-1", signal)).labelled, true, "a removal that was broken off");
});
