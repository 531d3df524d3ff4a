import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DumpError } from "../../../src/domain/failures.ts";
import { OPT_OUT_LABEL } from "../../../src/domain/wishes.ts";
import { CONFIRMED, HOST, handled, QUICK, UNKNOWN } from "../../roles/worlds.ts";
import { tempDir } from "../../support/tmp.ts";
import { filesOf } from "../cache/caches.ts";

const POD = { namespace: "shop", name: "web-0", uid: "5d0c" };

test("what the run-time says of the owner stands in the record, with its documents and the log's end beside it", async () => {
  using logs = tempDir();
  const logPath = join(logs.path, "0.log");
  writeFileSync(logPath, Array.from({ length: 9 }, (_, i) => `line ${i}\n`).join(""));
  using done = await handled({
    settings: { "log-lines": "2" },
    byApi: async () => ({
      ...CONFIRMED,
      owner: "pod",
      pod: POD,
      logPath,
      documents: { pod: { a: 1 }, container: undefined, image: [] },
    }),
  });
  const { record, entry } = done;
  assert.deepEqual([record.owner, record.pod, record.identity.confirmed, record.warnings], ["pod", POD, true, []]);
  assert.deepEqual(filesOf(entry), ["core", "crash.json", "facts", "image.json", "logs", "pod.json", "record.json"]);
  assert.deepEqual(JSON.parse(readFileSync(entry.path("pod.json"), "utf8")), { a: 1 });
  assert.equal(readFileSync(entry.path("logs/log.txt"), "utf8"), "line 7\nline 8\n");
  assert.equal(readFileSync(entry.path("facts/cmdline"), "latin1"), "web\0--serve\0");
});

test("no log is kept where none is wanted", async () => {
  using done = await handled({
    settings: { "log-lines": "0" },
    byApi: async () => ({ ...CONFIRMED, logPath: "/etc/hostname" }),
  });
  assert.ok(!filesOf(done.entry).includes("logs"));
});

test("documents or a log that cannot be kept are a warning", async () => {
  using done = await handled({ byApi: async () => ({ ...CONFIRMED, documents: { pod: { big: 1n } } }) });
  assert.match(done.record.warnings.join(), /documents or log were not kept/);
  assert.equal(done.record.core.complete, true);
});

for (const dumpable of [1, 2]) {
  test(`an opt-out that only the run-time knew of drops what was kept, facts and all (%d ${dumpable})`, async () => {
    using done = await handled({
      call: { dumpable },
      byApi: async () => ({ ...CONFIRMED, labels: { [OPT_OUT_LABEL]: "true" }, documents: { pod: { a: 1 } } }),
    });
    const { state, reason, core } = done.record;
    assert.deepEqual([state, reason, core.path], ["Refused", "OptedOut", null]);
    assert.deepEqual(filesOf(done.entry), ["record.json"]);
  });
}

test("an opt-out of a dump of which nothing came changes nothing: it is lost", async () => {
  using done = await handled({
    stream: Buffer.alloc(0),
    byApi: async () => ({ ...CONFIRMED, labels: { [OPT_OUT_LABEL]: "true" } }),
  });
  assert.deepEqual([done.record.state, done.record.reason], ["Lost", "NothingReceived"]);
});

test("a run-time that does not answer costs its answer, and the record says why", async () => {
  using done = await handled({
    byApi: async () => {
      throw new DumpError("RUNTIME_UNAVAILABLE", "Cannot ask docker: refused");
    },
  });
  const { owner, identity, core } = done.record;
  assert.deepEqual(
    [owner, identity.confirmed, identity.problem, core.complete],
    ["docker", false, "Cannot ask docker: refused", true],
  );
});

test("nobody is asked about a process of the host", async () => {
  using done = await handled({ quickly: () => HOST, byApi: () => assert.fail("asked") });
  assert.deepEqual([done.record.owner, done.record.identity.problem], ["host", null]);
});

test("where the state files know nothing the run-time is asked while the process is held, once, and not waited for for ever", async () => {
  let asked = 0;
  using done = await handled({
    quickly: () => UNKNOWN,
    settings: { "lookup-timeout": "10ms" },
    byApi: async () => {
      asked++;
      await new Promise((resolve) => setTimeout(resolve, 60));
      return CONFIRMED;
    },
  });
  assert.deepEqual([asked, done.record.owner], [1, QUICK.owner]);
});
