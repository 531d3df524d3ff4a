/** Real processes crash in real containers under the real kernel; what comes out is what the kernel would have written. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertSameAsKernel, backtrace, captured } from "../../support/captured.ts";
import { ENGINE_KINDS, type Engine, type EngineKind, type RunSpec, startEngine } from "../../support/engines.ts";
import { program } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "testbed", "binary", "command:gdb");

/** What crashes in each engine; sizes in MiB. `pid1`: no shell between. */
const CRASHES: readonly { on: string; spec: RunSpec; threads: number }[] = [
  { on: "a plain 64 MiB process", spec: { command: ["/bin/crash", "64"] }, threads: 1 },
  { on: "one of uid 1000", spec: { command: ["/bin/crash", "64"], uid: 1000 }, threads: 1 },
  { on: "one of 9 threads", spec: { command: ["/bin/crash", "64", "8"] }, threads: 9 },
  { on: "a child of PID 1", spec: { command: ["/bin/sh", "-c", "/bin/crash 4; exit 139"] }, threads: 1 },
  { on: "2 GiB, mostly untouched", spec: { command: ["/bin/crash", "1", "1", "2048"] }, threads: 2 },
];

const endpoint = (engine: Engine): string[] =>
  engine.kind === "docker" ? [`--docker-host=unix://${engine.socket}`] : [`--cri-endpoint=${engine.socket}`];

for (const kind of ENGINE_KINDS) {
  test(`the handler captures crashes in ${kind}`, { skip }, async (t) => {
    await using engine = await startEngine(kind);
    for (const [at, { on, spec, threads }] of CRASHES.entries()) {
      await t.test(on, async () => {
        const named = { ...spec, pod: `web-${at}`, namespace: "shop", container: `app-${at}` };
        let id = "";
        using one = await captured(async () => {
          id = (await engine.run(named)).id;
        }, endpoint(engine));
        assertSameAsKernel(one);
        const { record } = one;
        assert.equal(record.state, "Captured");
        assert.equal(record.core.capture, "direct", record.warnings.join("; "));
        assert.equal(record.container?.id, id);
        assert.equal(record.container?.name, named.container);
        assertOwner(kind, record.owner, record.pod, named);
        assert.equal(record.identity.confirmed, true, `${record.identity.problem}`);
        assert.equal(record.processUid, spec.uid ?? 0);
        assert.equal(record.threadCount, threads);
        assert.equal(record.executable, "crash");
        assert.deepEqual(record.warnings, []);
        assert.deepEqual(
          { ...record.signal },
          { number: 11, name: "SIGSEGV", code: 1, codeText: "address not mapped", faultAddress: "0xdead" },
        );
        assert.match(backtrace(one, program("crash")), /^#0 +crash_here \(/m);
      });
    }
  });
}

function assertOwner(kind: EngineKind, owner: string, pod: unknown, { pod: name, namespace }: RunSpec): void {
  assert.equal(owner, kind === "docker" ? "docker" : "pod");
  if (owner === "pod") assert.partialDeepStrictEqual(pod, { name, namespace });
}
