import assert from "node:assert/strict";
import { test } from "node:test";
import type { DumpRecord } from "../../../src/domain/dump.ts";
import { OPT_OUT_LABEL } from "../../../src/domain/wishes.ts";
import { SELF_TEST } from "../../../src/node/capture/own.ts";
import { CORE, type Crash, HOST, handled, QUICK } from "../../roles/worlds.ts";
import { filesOf } from "../cache/caches.ts";

const optedOut = { [OPT_OUT_LABEL]: "true" };
const host = { quickly: () => HOST, byApi: async () => HOST };

const refused: readonly { on: string; crash: Crash; want: Partial<DumpRecord> }[] = [
  {
    on: "the state files know the label",
    crash: { quickly: () => ({ ...QUICK, labels: optedOut }) },
    want: { reason: "OptedOut", message: `the owner's label ${OPT_OUT_LABEL} says so` },
  },
  {
    on: "the label is there and the process was not dumpable",
    crash: { quickly: () => ({ ...QUICK, labels: optedOut }), call: { dumpable: 2 } },
    want: { reason: "OptedOut" },
  },
  {
    on: "RLIMIT_CORE is 0 and honoured",
    crash: { call: { coreLimit: "0" }, settings: { rlimit: "honour" } },
    want: { reason: "OptedOut", message: "RLIMIT_CORE is 0, and the node's policy honours that" },
  },
  {
    on: "it is the host's and those are ignored",
    crash: { ...host, settings: { host: "ignore" } },
    want: { reason: "HostIgnored" },
  },
  {
    on: "it is bigger than a dump may be",
    crash: { settings: { "max-dump-size": "4Ki" } },
    want: { reason: "TooBig", message: "too big: 12 KiB, limit 4 KiB" },
  },
  {
    on: "there is no room for it",
    crash: { settings: { "cache-size": "4Ki" } },
    want: { reason: "NoRoom", message: "no room in the cache for 12 KiB" },
  },
];
for (const { on, crash, want } of refused) {
  test(`a dump is refused, and its process let go, when ${on}`, async () => {
    using done = await handled(crash);
    const { record } = done;
    assert.deepEqual({ ...record, state: "Refused", ...want }, record);
    assert.deepEqual([done.exitCode, done.released, record.core.path], [0, true, null]);
    assert.deepEqual(filesOf(done.entry), ["record.json"], "nothing of its memory, nor of its arguments");
    assert.notEqual(record.heldMs, null);
  });
}

const kept: readonly { on: string; crash: Crash }[] = [
  { on: "RLIMIT_CORE is 0, which engines set for everyone", crash: { call: { coreLimit: "0" } } },
  { on: "RLIMIT_CORE is not 0 and honoured", crash: { call: { coreLimit: "1024" }, settings: { rlimit: "honour" } } },
  {
    on: "the label says something else",
    crash: { quickly: () => ({ ...QUICK, labels: { [OPT_OUT_LABEL]: "false" } }) },
  },
  { on: "it is the host's", crash: host },
  { on: "it is a container's, and only the host's are ignored", crash: { settings: { host: "ignore" } } },
  {
    on: "it is the host's and to be chained, and nobody was there before",
    crash: { ...host, settings: { host: "chain" } },
  },
  {
    on: "it is the host's and to be kept, whoever was there before",
    crash: { ...host, settings: { host: "keep" }, world: { formerHandler: "|/bin/false" } },
  },
  {
    on: "it is our own self-test, whatever the policy",
    crash: { ...host, exe: process.execPath, proc: { cmdline: `x\0${SELF_TEST}\0` }, settings: { host: "ignore" } },
  },
];
for (const { on, crash } of kept) {
  test(`a dump is kept when ${on}`, async () => {
    using done = await handled(crash);
    assert.deepEqual([done.record.state, done.record.core.complete, done.released], ["Captured", true, true]);
  });
}

test("a program that only says it is our self-test is none", async () => {
  using done = await handled({ ...host, proc: { cmdline: SELF_TEST }, exe: "/bin/sh", settings: { host: "ignore" } });
  assert.equal(done.record.reason, "HostIgnored");
});

test("a host's process of this very program is kept for root alone, and handed to nobody", async () => {
  using done = await handled({ ...host, exe: process.execPath, world: { formerHandler: "|/bin/false" } });
  assert.deepEqual([done.record.state, done.record.dumpable], ["Restricted", 2]);
  assert.match(done.record.warnings.join(), /a process of coredump-detector itself/);
});

test("so it is when an upgrade has replaced its file meanwhile", async () => {
  using done = await handled({
    ...host,
    exe: `${process.execPath} (deleted)`,
    world: { formerHandler: "|/bin/false" },
  });
  assert.equal(done.record.state, "Restricted");
});

test("a host's dump is kept here, and the kernel's log told, when its former handler cannot be started", async () => {
  using done = await handled({ ...host, world: { formerHandler: "|/nowhere/handler %P" } });
  assert.deepEqual([done.record.state, done.record.core.sizeBytes], ["Captured", CORE.length]);
  assert.deepEqual(done.lastWords, [
    "cannot start /nowhere/handler, which the pattern named before: pid 7 is kept here",
  ]);
});
