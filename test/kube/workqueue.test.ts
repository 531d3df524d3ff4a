import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { WorkQueue } from "../../src/kube/workqueue.ts";
import { eventually } from "../support/eventually.ts";

function queueWith(work: (key: string) => Promise<void>, atOnce = 4) {
  const stop = new AbortController();
  const failures: string[] = [];
  const onFailure = (key: string, error: unknown) => void failures.push(`${key}: ${(error as Error).message}`);
  const queue = new WorkQueue({
    work: (key) => work(key).then(() => undefined),
    closed: true,
    onFailure,
    signal: stop.signal,
    atOnce,
    settleMs: 5,
  });
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

/** A queue whose work ends when the test says so. */
function endless(atOnce: number, again: number | undefined = undefined) {
  const [stop, park] = [new AbortController(), new AbortController()];
  const started: string[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const work = (id: string, signal: AbortSignal) => {
    started.push(id);
    return new Promise<number | undefined>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      ends.push((error) => (error ? reject(error) : resolve(again)));
    });
  };
  const made = new WorkQueue({ atOnce, work, onFailure: () => undefined, signal: stop.signal, park: park.signal });
  return { queue: made, started, ends, stop, park };
}

const soon = () => new Promise((resolve) => setTimeout(resolve, 20));

test("WorkQueue works on each key by one worker, and on no more keys than it may", async () => {
  const { queue: q, started, ends, stop } = endless(2);
  for (const id of ["a", "b", "c"]) q.hasten(id);
  await soon();
  assert.deepEqual(started, ["a", "b"]);
  q.hasten("a"); // while it is worked on: once more
  ends[0]?.();
  await soon();
  assert.deepEqual(started, ["a", "b", "c"]);
  ends[1]?.();
  await soon();
  assert.deepEqual(started, ["a", "b", "c", "a"]);
  stop.abort();
});

test("WorkQueue.offer() leaves a key to wait for its next try, hasten() does not", async () => {
  const { queue: q, started, ends, stop } = endless(1);
  q.hasten("a");
  await soon();
  ends[0]?.(new Error("no"));
  await soon();
  q.offer("a");
  await soon();
  assert.equal(started.length, 1);
  q.hasten("a");
  await soon();
  assert.equal(started.length, 2);
  stop.abort();
});

test("WorkQueue.hastenAll() tries at once what waits for its next try, and leaves alone what is at work", async () => {
  const { queue: q, started, ends, stop } = endless(2);
  q.hasten("failed");
  q.hasten("working");
  await soon();
  ends[0]?.(new Error("no"));
  await soon();
  assert.deepEqual(started, ["failed", "working"]);
  q.hastenAll();
  await soon();
  assert.deepEqual(started, ["failed", "working", "failed"]);
  stop.abort();
});

test("WorkQueue takes nothing more once it is to stop, and lets work end until it is parked", async () => {
  const { queue: q, started, stop, park } = endless(1);
  q.hasten("a");
  await soon();
  stop.abort();
  q.hasten("b");
  let ended = false;
  const end = q.ended().then(() => {
    ended = true;
  });
  await soon();
  assert.deepEqual([started, ended], [["a"], false]);
  park.abort();
  await end;
});
