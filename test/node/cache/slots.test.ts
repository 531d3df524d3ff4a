import assert from "node:assert/strict";
import { test } from "node:test";
import { takeSlot } from "../../../src/node/cache/slots.ts";
import { testSpool } from "./caches.ts";

test("takeSlot() gives each place once, and again when it is free", async () => {
  using made = testSpool();
  const first = await takeSlot(made.spool, 2, 0);
  using second = await takeSlot(made.spool, 2, 0);
  assert.ok(first && second);
  assert.equal(await takeSlot(made.spool, 2, 0), undefined);
  first[Symbol.dispose]();
  using third = await takeSlot(made.spool, 2, 0);
  assert.ok(third);
});

test("takeSlot() waits for a place, and gets it when it is free", async () => {
  using made = testSpool();
  const first = await takeSlot(made.spool, 1, 0);
  const waiting = takeSlot(made.spool, 1, 60_000);
  first?.[Symbol.dispose]();
  using second = await waiting;
  assert.ok(second);
});

test("takeSlot() lets the caller go on when nobody gives way in time", async () => {
  using made = testSpool();
  using _held = await takeSlot(made.spool, 1, 0);
  assert.equal(await takeSlot(made.spool, 1, 30), undefined);
});
