import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { WorkQueue } from "../../src/kube/workqueue.ts";
import { eventually } from "../support/eventually.ts";

function queueWith(work: (key: string) => Promise<void>, atOnce = 4) {
  const stop = new AbortController();
  const failures: string[] = [];
  const onFailure = (key: string, error: unknown) => void failures.push(`${key}: ${(error as Error).message}`);
  const queue = new WorkQueue({ work, onFailure, signal: stop.signal, atOnce, settleMs: 5 });
  return { queue, failures, stop: () => stop.abort() };
}

test("WorkQueue gathers until it is opened, and does one burst at once", async () => {
  const done: string[] = [];
  const { queue, stop } = queueWith(async (key) => void done.push(key));
  for (const key of ["a", "b", "a", "a"]) queue.add(key);
  await sleep(30);
  assert.deepEqual(done, []);
  queue.open();
  assert.deepEqual(done.sort(), ["a", "b"]);
  stop();
});

test("WorkQueue works on a key once at a time, and once more when it was added meanwhile", async () => {
  let [working, most, rounds] = [0, 0, 0];
  const { queue, stop } = queueWith(async () => {
    most = Math.max(most, ++working);
    rounds++;
    if (rounds === 1) queue.add("a", 0);
    await sleep(20);
    working--;
  });
  queue.open();
  queue.add("a", 0);
  await eventually(() => assert.deepEqual([rounds, working, most], [2, 0, 1]));
  stop();
});

test("WorkQueue has no more at work than it may", async () => {
  let [working, most, rounds] = [0, 0, 0];
  const { queue, stop } = queueWith(async () => {
    most = Math.max(most, ++working);
    await sleep(2);
    working--;
    rounds++;
  }, 3);
  queue.open();
  for (let key = 0; key < 20; key++) queue.add(`${key}`, 0);
  await eventually(() => assert.equal(rounds, 20));
  assert.equal(most, 3);
  assert.equal(queue.depth, 0);
  stop();
});

test("WorkQueue comes back to what failed, not before its pause is over", async () => {
  const startsMs: number[] = [];
  const { queue, failures, stop } = queueWith(async () => {
    startsMs.push(performance.now());
    if (startsMs.length === 1) throw new Error("no");
  });
  queue.open();
  queue.add("a", 0);
  await eventually(() => assert.equal(startsMs.length, 1));
  queue.add("a", 0); // whatever happens to it meanwhile
  await eventually(() => assert.equal(startsMs.length, 2));
  assert.deepEqual(failures, ["a: no"]);
  assert.ok((startsMs[1] ?? 0) - (startsMs[0] ?? 0) >= 99, "half of 200 ms at least");
  stop();
});

test("WorkQueue forgets what waits when it is stopped, and ends with the work at hand", async () => {
  const done: string[] = [];
  const { promise: going, resolve: goOn } = Promise.withResolvers<void>();
  const { queue, stop } = queueWith(async (key) => {
    await going;
    done.push(key);
  }, 1);
  queue.open();
  queue.add("a", 0);
  queue.add("b", 0);
  await eventually(() => assert.equal(queue.depth, 2));
  stop();
  queue.add("c", 0);
  goOn();
  await queue.ended();
  await sleep(30);
  assert.deepEqual(done, ["a"]);
});
