/** Deliveries that are killed, that fail in the middle, that hang, and that somebody races with. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DeliveryProcesses } from "../../../src/node/delivery/delivery-process.ts";
import { deliver, deliverCommand, HIDDEN, NAME, type Volume, volume } from "../../node/delivery/volumes.ts";
import { eventually } from "../../support/eventually.ts";
import { compiled } from "../../support/faults.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root");
const skipFaults = needs("root", "testbed");

/** The process's disk fails, or it is killed, at the nth step below a folder (test/support/faults.c). */
const faulty = (below: string, fault: string): string[] => [
  "env",
  `LD_PRELOAD=${compiled("faults.so")}`,
  `FAULT_DIR=${below}`,
  `FAULT=${fault}`,
];
/** Names are made and removed by paths of descriptors; what is done to the file itself shows by where it is. */
const steps: Record<string, (at: Volume) => string> = {
  names: () => "/proc/self/fd",
  bytes: ({ mount }) => mount,
};

for (const [what, below] of Object.entries(steps)) {
  test(`a delivery that is killed at any step of its ${what} leaves nothing half, and the next one ends it`, {
    skip: skipFaults,
  }, async () => {
    for (let kill = 1, killed = true; killed; kill++) {
      using at = volume();
      const outcome = await deliver(at, {}, ...faulty(below(at), `any:${kill}:KILL`));
      killed = outcome.reason !== "Delivered";
      assert.ok(kill > 1 || killed, "nothing was ever killed");
      if (killed) assert.match(outcome.message, /ended with SIGKILL/);
      if (existsSync(join(at.dir, NAME))) assert.ok(readFileSync(join(at.dir, NAME)).equals(at.core()), `kill ${kill}`);
      assert.equal((await deliver(at)).reason, "Delivered", `kill ${kill}`);
      assert.deepEqual(at.files(), [NAME], `kill ${kill}`);
    }
  });
}

for (const [errno, want] of [
  [5, "WriteFailed"],
  [28, "VolumeFull"],
  [122, "VolumeFull"],
  [116, "WriteFailed"], // ESTALE: the server has forgotten it
] as const)
  test(`a delivery whose volume fails with errno ${errno} at any step leaves nothing: ${want}`, {
    skip: skipFaults,
  }, async () => {
    for (let from = 1, failed = true; failed; from++) {
      using at = volume();
      const outcome = await deliver(at, {}, ...faulty(at.mount, `any:${from}:${errno}`));
      failed = outcome.reason !== "Delivered";
      assert.ok(from > 1 || failed, "nothing ever failed");
      if (failed) assert.deepEqual([outcome.reason, at.files()], [want, []], `from ${from}: ${outcome.message}`);
      else assert.deepEqual(at.files(), [NAME]);
    }
  });

test("a container that races with links, pipes and folders gets no further than its own volume", { skip }, async () => {
  using at = volume();
  const victim = join(at.node, "victim");
  writeFileSync(victim, "the node's", { mode: 0o644 });
  // On the claim, as a container sees it that has mounted all of it elsewhere.
  const mischief = `cd "$0"; while :; do
    for name in "$2" "$3"; do
      ln -sfn "$1" "$name"; rm -rf "$name"; mkfifo "$name"; mv "$name" x; mkdir "$name"; rm -rf "$name"
      echo theirs > "$name"; ln -f "$name" y; rm -f "$name"
    done
    mv ../app ../gone; ln -s / ../app; rm -f ../app; mv ../gone ../app
  done 2> /dev/null`;
  const racer = spawn("sh", ["-c", mischief, at.dir, victim, NAME, HIDDEN], { stdio: "ignore" });
  try {
    for (let tries = 0; tries < 12; tries++) {
      const { reason, message } = await deliver(at);
      assert.ok(["Delivered", "NameTaken", "WriteFailed"].includes(reason), message);
    }
  } finally {
    racer.kill("SIGKILL");
    await once(racer, "exit");
  }
  assert.equal(readFileSync(victim, "utf8"), "the node's");
  const strayed = ["-xdev", "(", "-name", NAME, "-o", "-name", HIDDEN, ")"];
  assert.equal(execFileSync("find", [at.node, ...strayed], { encoding: "utf8" }), "", "outside of the volume");
});

const frozen = { skip: needs("root", "command:fsfreeze", "command:mkfs.ext4") };

test("a volume that hangs holds one process, no more, until it answers again", frozen, async () => {
  using at = volume((node) => {
    const image = join(node, "image");
    execFileSync("truncate", ["--size=32M", image]);
    execFileSync("mkfs.ext4", ["-q", image]);
    return ["-o", "loop", image];
  });
  const log = join(at.node, "log");
  const command = deliverCommand("sh", "-c", 'echo sent >> "$0"; exec "$@"', log);
  const errands = new DeliveryProcesses(command, 5000);
  const { signal } = new AbortController();
  execFileSync("fsfreeze", ["--freeze", at.dir]);
  try {
    for (const _again of [1, 2, 3]) {
      const outcome = await errands.send(at.job, signal);
      assert.deepEqual([outcome.reason, "mayPass" in outcome && outcome.mayPass], ["VolumeHangs", true]);
    }
    assert.equal(readFileSync(log, "utf8"), "sent\n");
  } finally {
    execFileSync("fsfreeze", ["--unfreeze", at.dir]);
  }
  rmSync(log);
  await eventually(async () => assert.equal((await errands.send(at.job, signal)).reason, "Delivered"));
  assert.deepEqual(at.files(), [NAME]);
});

test("a delivery that nobody wants any more is killed, and says so by the signal's reason", { skip }, async () => {
  using at = volume();
  const stop = new AbortController();
  const sent = new DeliveryProcesses(["sleep", "1000"]).send(at.job, stop.signal);
  stop.abort(new Error("parked"));
  await assert.rejects(sent, /parked/);
  await assert.rejects(new DeliveryProcesses(["sleep", "1000"]).send(at.job, stop.signal), /parked/);
});

for (const [on, command] of Object.entries({
  "cannot be started": ["/nowhere/at/all"],
  "says nothing": ["true"],
  "says nonsense": ["echo", "nonsense"],
}))
  test(`DeliveryProcesses tells that its process ${on}`, { skip }, async () => {
    using at = volume();
    const outcome = await new DeliveryProcesses(command).send(at.job, new AbortController().signal);
    assert.deepEqual([outcome.reason, "mayPass" in outcome && outcome.mayPass], ["WriteFailed", true]);
    assert.match(outcome.message, /^the delivery failed: /);
  });
