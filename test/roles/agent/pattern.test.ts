import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { patternFor } from "../../../src/node/kernel/core-pattern.ts";
import { keepPattern, type PatternLog, type PatternOrder } from "../../../src/roles/agent/pattern.ts";
import { type FakeHost, fakeHost, program } from "../../node/install/fake-host.ts";
import { eventually } from "../../support/eventually.ts";

const OURS = patternFor("/coredump/coredump-detector", "6.18.1");
const THEIRS = "|/usr/share/apport/apport %p";

class Heard implements PatternLog {
  readonly conflicts: string[] = [];
  readonly troubles = new Map<string, unknown>();
  installs = 0;

  trouble(where: string, problem: unknown): void {
    if (problem === undefined) this.troubles.delete(where);
    else this.troubles.set(where, problem);
  }

  installed(): void {
    this.installs++;
  }

  conflict(pattern: string): void {
    this.conflicts.push(pattern);
  }
}

async function kept(change: Partial<PatternOrder>, scene: (host: FakeHost, heard: Heard) => Promise<void>) {
  using host = fakeHost({ pattern: "core.%p", systemd: true });
  const order: PatternOrder = {
    host,
    binDir: "/coredump",
    from: program(host),
    settings: new Map(),
    onConflict: "report",
    ...change,
  };
  const [heard, stop] = [new Heard(), new AbortController()];
  const keeping = keepPattern(order, heard, stop.signal, { lookMs: 10 });
  try {
    await scene(host, heard);
  } finally {
    stop.abort();
    await keeping;
  }
  assert.equal(host.get("pattern").startsWith("|"), true, "at its end it gives nothing back");
}

const isOurs = (host: FakeHost) => eventually(async () => assert.equal(host.get("pattern"), OURS));

test("keepPattern() installs once, and leaves the host's systemd alone", async () => {
  await kept({ settings: new Map([["max-dump-size", "1Gi"]]) }, async (host, heard) => {
    await isOurs(host);
    await eventually(async () => assert.equal(heard.installs, 1));
    assert.deepEqual(JSON.parse(host.read("/coredump/settings.json")), { "max-dump-size": "1Gi" });
    assert.throws(() => host.read("/etc/systemd/system/coredump-detector.service"), { code: "ENOENT" });
  });
});

test("keepPattern() tells once of each pattern that somebody else sets, and leaves it", async () => {
  await kept({}, async (host, heard) => {
    await isOurs(host);
    host.set("pattern", THEIRS);
    await eventually(async () => assert.match(`${heard.troubles.get("pattern")}`, /apport.*not ours/));
    host.set("pattern", "core");
    await eventually(async () => assert.deepEqual(heard.conflicts, [THEIRS, "core"]));
    host.set("pattern", OURS);
    await eventually(async () => assert.equal(heard.troubles.size, 0));
    host.set("pattern", THEIRS);
    await eventually(async () => assert.deepEqual(heard.conflicts, [THEIRS, "core", THEIRS]));
    assert.equal(heard.installs, 1);
  });
});

test("keepPattern() sets the pattern again when it is told to, and tells all the same", async () => {
  await kept({ onConflict: "retake" }, async (host, heard) => {
    await isOurs(host);
    host.set("pattern", THEIRS);
    await isOurs(host);
    assert.deepEqual(heard.conflicts, [THEIRS]);
    host.set("pipeLimit", "0"); // crashed processes would not be held
    await eventually(async () => assert.equal(host.get("pipeLimit"), "64"));
    assert.equal(JSON.parse(host.read("/coredump/install-state.json")).formerPattern, "core.%p");
  });
});

test("keepPattern() puts the handler back when somebody removed it", async () => {
  await kept({}, async (host) => {
    await isOurs(host);
    rmSync(join(host.root, "coredump"), { recursive: true });
    await eventually(async () => assert.match(host.read("/coredump/coredump-detector"), /echo 1\.0\.0/));
  });
});

test("keepPattern() leaves no setting in force that the release does not say, whoever set it", async () => {
  await kept({ settings: new Map([["host", "ignore"]]) }, async (host) => {
    await isOurs(host);
    host.write("/coredump/settings.json", '{ "host": "keep", "log-lines": 300 }');
    rmSync(join(host.root, "coredump/coredump-detector")); // so it installs again, as a new agent does
    const settings = () => JSON.parse(host.read("/coredump/settings.json"));
    await eventually(async () => assert.deepEqual(settings(), { host: "ignore" }));
  });
});

test("keepPattern() says what keeps it from installing, and goes on trying", async () => {
  await kept({}, async (host, heard) => {
    await isOurs(host);
    rmSync(join(host.root, "coredump"), { recursive: true });
    rmSync(join(host.root, "src/coredump-detector"));
    await eventually(async () => assert.match(`${heard.troubles.get("handler")}`, /no such file/));
    program(host);
    await eventually(async () => assert.equal(heard.troubles.size, 0));
  });
});
