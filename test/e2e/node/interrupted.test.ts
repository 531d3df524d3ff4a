/** What stopped the kernel in the middle of a dump is named. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { compiled, Handler, start } from "../../support/faults.ts";
import { MemoryCgroup } from "../../support/memory-cgroup.ts";
import { PATIENCE_MS } from "../../support/memory-cost.ts";
import { program } from "../../support/paths.ts";
import { holdPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "testbed", "binary");

/** So much memory that the kernel is not through when the handler is stopped. */
const CRASH = [program("crash"), "96"];
/** `$0` is the file of a cgroup's processes. */
const INTO = ["/bin/sh", "-c", 'echo 0 > "$0" && exec "$@"'] as const;

/** The dump of `command` is in the middle when `stop` is called with the pid of what was started. @returns what the record says */
async function messageAfter(command: readonly string[], stop: (pid: number) => unknown): Promise<string> {
  using handler = new Handler({ crashesOf: "anybody", settings: { capture: "drain" } });
  {
    await using _held = await holdPattern(handler.pattern());
    const [file = "", ...args] = command;
    const crashed = start(file, ...args);
    const pid = await handler.stopInTheMiddle();
    await stop(crashed.pid);
    process.kill(pid, "SIGCONT");
    await crashed.ended;
  }
  const { core, message } = await handler.record(PATIENCE_MS);
  assert.equal(core.truncation, "source-cut-short");
  return message ?? "";
}

test("a dump that SIGKILL stops says so", { skip }, async () => {
  const message = await messageAfter(CRASH, (pid) => process.kill(pid, "SIGKILL"));
  assert.match(
    message,
    /^source cut short at .*: SIGKILL came while it dumped: its grace period was over, or another process/,
  );
});

test("a dump that its container's first process took along says so", { skip }, async () => {
  const command = ["/usr/bin/unshare", "--pid", "--fork", "/bin/sh", "-c", '"$@"; exit', "sh", ...CRASH];
  const message = await messageAfter(command, (pid) => {
    const first = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1");
    process.kill(Number(first), "SIGKILL");
  });
  assert.match(message, /: its container's first process had ended/);
});

test("a dump that the OOM killer stops says so", { skip }, async () => {
  await using cgroup = new MemoryCgroup();
  const message = await messageAfter([...INTO, cgroup.procs, ...CRASH], () => {
    cgroup.limit(cgroup.usageBytes() + (4 << 20));
    start(compiled("cost"), "alone", "32", cgroup.procs); // less than the other has, so that one is chosen
    return killed(cgroup);
  });
  assert.match(message, /: the OOM killer ended it while it dumped/);
});

test("a dump that the freezer stops says so", { skip }, async () => {
  using freezer = new Freezer();
  const message = await messageAfter([...INTO, freezer.procs, ...CRASH], () => freezer.freeze());
  assert.match(message, /: its cgroup was frozen/);
});

async function killed(cgroup: MemoryCgroup): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; cgroup.oomKills() === 0; await sleep(20))
    assert.ok(performance.now() < end, "the OOM killer has ended nothing");
}

/** As `docker pause` does it, on v1's own hierarchy or on v2. */
class Freezer implements Disposable {
  readonly isV1 = existsSync("/sys/fs/cgroup/freezer/cgroup.procs");
  readonly path = `/sys/fs/cgroup/${this.isV1 ? "freezer/" : ""}coredump-test-${process.pid}-freezer`;
  readonly procs = `${this.path}/cgroup.procs`;

  constructor() {
    mkdirSync(this.path);
  }

  freeze(): void {
    if (this.isV1) writeFileSync(`${this.path}/freezer.state`, "FROZEN");
    else writeFileSync(`${this.path}/cgroup.freeze`, "1");
  }

  [Symbol.dispose](): void {
    if (this.isV1) writeFileSync(`${this.path}/freezer.state`, "THAWED");
    rmdirSync(this.path);
  }
}
