/** What is asked of the API server to bring an object up to date. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { coredumpOf } from "../../../src/cluster/registration/coredump.ts";
import { KubeRegistry } from "../../../src/cluster/registration/kube-registry.ts";
import { type Crash, shortened } from "../../../src/domain/crash.ts";
import type { Coredump } from "../../../src/kube/coredump.ts";
import type { KubeHttp, KubeRequest } from "../../../src/kube/http.ts";
import { LABELS } from "../../../src/kube/labels.ts";
import { anyCrash } from "../../support/any-crash.ts";
import { podRecord } from "./records.ts";

const crash: Crash = {
  ...shortened(fc.sample(anyCrash, { numRuns: 1, seed: 1 })[0] ?? assert.fail()),
  fingerprint: "0123456789ab",
};

test("report() labels an object that was made before the stack was known, once", async () => {
  const asked: string[] = [];
  const json = async ({ resource, body }: KubeRequest) => {
    asked.push(resource);
    return body;
  };
  const registry = new KubeRegistry({ json } as unknown as KubeHttp);
  const refused = { state: "Refused", reason: "TooBig" } as const;
  const early = podRecord(refused);
  const record = podRecord({ ...refused, id: early.id, crash });
  const seen = coredumpOf(early, "uid") as unknown as Coredump;
  assert.equal(seen.metadata.labels?.[LABELS.crash], undefined);
  const { signal } = new AbortController();
  const reported = await registry.report(record, seen, signal);
  assert.equal(reported.metadata.labels?.[LABELS.crash], crash.fingerprint);
  assert.deepEqual(asked.splice(0), ["coredumps", "coredumps/status"]);
  await registry.report(record, reported, signal);
  assert.deepEqual(asked, ["coredumps/status"]);
});
