import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { newerIn, SystemLog } from "../../../src/node/kernel/klog.ts";

/** As syslog(2) gave it under 6.18; the fourth as with CONFIG_PRINTK_CALLER. */
const LINES = [
  "cut in the middle",
  "<6>[    0.000000] Linux version 6.18.44",
  "<4>[   12.000001] coredump: 7(a b): over core_pipe_limit, skipping core dump",
  "<4>[   13.000000][  T412] coredump: 8(c): |/nowhere/handler pipe failed",
  "<12>[  14.500000] coredump-detector: lost dump of pid 9 (d): no room",
  "<12>[  14.600000] coredump: 1(made): up over core_pipe_limit",
  "<4>[ 2066.016590] coredump: 9 callbacks suppressed",
];
const LOG = Buffer.from(`${LINES.join("\n")}\n`);

test("newerIn() finds what parseKmsg() finds, told apart by the log's clock", () => {
  const { refusals, incomplete, lastUsec } = newerIn(LOG, -1, 1000);
  assert.deepEqual(
    refusals.map(({ seq, uptimeUsec, pid, hostPid, comm, cause }) => [seq, uptimeUsec, pid ?? hostPid, comm, cause]),
    [
      [null, 12_000_001, 7, "a b", "pipe-limit"],
      [null, 13_000_000, 8, "c", "exec-failed"],
      [null, 14_500_000, 9, "d", "handler"],
    ],
  );
  assert.deepEqual([incomplete, lastUsec, refusals[0]?.time.getTime()], [true, 2_066_016_590, 13_000]);
});

for (const [afterUsec, want, incomplete] of [
  [12_000_001, 2, true],
  [14_500_000, 0, true],
  [2_066_016_590, 0, false],
] as const)
  test(`newerIn() leaves out what was read, up to ${afterUsec}`, () => {
    const found = newerIn(LOG, afterUsec, 0);
    assert.deepEqual([found.refusals.length, found.incomplete], [want, incomplete]);
  });

test("newerIn() says when the log went over what was not read yet", () => {
  assert.equal(newerIn(Buffer.from("<6>[    5.000000] a\n"), 4_000_000, 0).incomplete, true);
  assert.equal(newerIn(Buffer.from("<6>[    4.000000] a\n<6>[    5.000000] b\n"), 4_000_000, 0).incomplete, false);
});

test("newerIn() takes no lost dump from a log without times, nor from any bytes", () => {
  assert.deepEqual(newerIn(Buffer.from("<4>coredump: 7(a): over core_pipe_limit\n"), -1, 0).refusals, []);
  fc.assert(fc.property(fc.uint8Array(), (bytes) => newerIn(Buffer.from(bytes), -1, 0).refusals.length === 0));
});

test("SystemLog gives each line once, and says at once that it may not read", () => {
  let log = Buffer.from(LINES.slice(0, 3).join("\n"));
  const reader = new SystemLog((buffer) => log.copy(buffer));
  assert.deepEqual([reader.read().refusals.length, reader.read().refusals.length], [1, 0]);
  log = LOG;
  assert.equal(reader.read().refusals.length, 2);
  const eperm = Object.assign(new Error("syslog"), { code: "EPERM" });
  assert.throws(
    () =>
      new SystemLog(() => {
        throw eperm;
      }),
    eperm,
  );
});
