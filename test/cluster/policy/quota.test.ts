import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Charge, judge, type Quota, statusFor, usedBy } from "../../../src/cluster/policy/quota.ts";

const NANO = 10n ** 9n;
const GI = 1024n ** 3n;

const dump = (name: string, state: string, bytes: bigint | null, timeMs = 0): Charge => ({
  name,
  state,
  sizeNanos: bytes === null ? null : bytes * NANO,
  timeMs,
});
const quota = (name: string, hard: string, status: Partial<Quota> = {}): Quota => ({
  name,
  hard,
  statusUsed: undefined,
  statusHard: undefined,
  ...status,
});
const names = (verdicts: readonly { dump: Charge }[]): string[] => verdicts.map(({ dump }) => dump.name);

test("judge() allows what just fits, and not one byte more", () => {
  const held = dump("held", "Saved", GI - 10n);
  assert.deepEqual(names(judge([held, dump("a", "Created", 10n)], [quota("q", "1Gi")]).allowed), ["a"]);
  const { allowed, denied } = judge([held, dump("a", "Created", 11n)], [quota("q", "1Gi")]);
  assert.deepEqual(allowed, []);
  assert.deepEqual(
    denied.map(({ denial }) => denial),
    ["Quota exceed, required 1.01Gi, but q has only 1Gi"],
  );
});

test("judge() denies in the words that users know, as the limit is written", () => {
  const cases = [
    { hard: "4Gi", bytes: 9n * GI, words: "Quota exceed, required 9Gi, but default has only 4Gi" },
    { hard: "1.5Gi", bytes: 2n * GI, words: "Quota exceed, required 2Gi, but default has only 1536Mi" },
    { hard: "5G", bytes: 6_000_000_000n, words: "Quota exceed, required 6G, but default has only 5G" },
    { hard: "1e3", bytes: 2000n, words: "Quota exceed, required 2e3, but default has only 1e3" },
    { hard: "1k", bytes: 2174976n, words: "Quota exceed, required 2124Ki, but default has only 1k" },
    { hard: "9Gi", bytes: 9n * GI + 4096n, words: "Quota exceed, required 9.01Gi, but default has only 9Gi" },
    { hard: "0", bytes: 1n, words: "Quota exceed, required 1, but default has only 0" },
  ];
  for (const { hard, bytes, words } of cases)
    assert.equal(judge([dump("a", "Created", bytes)], [quota("default", hard)]).denied[0]?.denial, words);
});

test("judge() without a quota allows any size", () => {
  assert.deepEqual(names(judge([dump("a", "Created", 2n ** 80n)], []).allowed), ["a"]);
});

test("judge() takes the oldest first, and by name those of one moment", () => {
  const waiting = [
    dump("c", "Created", 4n, 2),
    dump("b", "Created", 4n, 1),
    dump("a", "Created", 4n, 1),
    dump("d", "Created", 2n, 3),
  ];
  const { allowed, denied } = judge(waiting, [quota("q", "10")]);
  assert.deepEqual(names(allowed), ["a", "b", "d"]); // the small one behind still fits
  assert.deepEqual(names(denied), ["c"]);
});

test("judge() wants all quotas to hold, and names the first that does not", () => {
  const quotas = [quota("wide", "100"), quota("narrow", "10"), quota("a-wide", "100")];
  assert.match(judge([dump("a", "Created", 11n)], quotas).denied[0]?.denial ?? "", /but narrow has only 10$/);
  assert.match(judge([dump("a", "Created", 101n)], quotas).denied[0]?.denial ?? "", /but a-wide has only 100$/);
});

test("judge() counts what holds storage, a failed upload too, and nothing else", () => {
  const holding = ["Allowed", "Saved", "FailedToSave"];
  const all = [
    "",
    "Capturing",
    "Captured",
    "Created",
    "Denied",
    "Refused",
    "Restricted",
    "Evicted",
    "Deleted",
    "Lost",
    ...holding,
  ];
  assert.equal(usedBy(all.map((state) => dump(state, state, 1n))), BigInt(holding.length) * NANO);
});

test("judge() leaves alone what is not Created, or has no size yet", () => {
  const { allowed, denied } = judge(
    [dump("a", "", 1n), dump("b", "Capturing", 1n), dump("c", "Created", null)],
    [quota("q", "10")],
  );
  assert.deepEqual([...allowed, ...denied], []);
});

test("judge() waits while a limit cannot be read, for Denied is for ever", () => {
  const judgement = judge([dump("a", "Created", 1n)], [quota("q", "10"), quota("bad", "ten")]);
  assert.deepEqual([...judgement.allowed, ...judgement.denied], []);
  assert.deepEqual(judgement.unreadable, ["bad"]);
});

test("statusFor() changes a status only when it says something else", () => {
  const [used, hard] = ["1Gi", "2Gi"];
  assert.equal(statusFor(quota("q", hard, { statusUsed: used, statusHard: hard }), GI * NANO), undefined);
  assert.equal(statusFor(quota("q", hard, { statusUsed: "1024Mi", statusHard: hard }), GI * NANO), undefined);
  assert.deepEqual(statusFor(quota("q", hard), GI * NANO), { used, hard });
  assert.deepEqual(statusFor(quota("q", "3Gi", { statusUsed: used, statusHard: hard }), GI * NANO), {
    used,
    hard: "3Gi",
  });
  assert.equal(statusFor(quota("q", "ten"), GI * NANO), undefined);
  assert.deepEqual(statusFor(quota("q", "1G"), 2060288n * NANO)?.used, "2012Ki"); // what a disk holds is whole Ki
  assert.deepEqual(statusFor(quota("q", "5G"), 3_000_000_000n * NANO)?.used, "3G");
  assert.deepEqual(statusFor(quota("q", "1G"), 2060289n * NANO)?.used, "2060289"); // to the byte
});

const charges = fc.array(
  fc.record({
    name: fc.string({ minLength: 1, maxLength: 4 }),
    state: fc.constantFrom("Created", "Created", "Allowed", "Saved", "Denied"),
    sizeNanos: fc.bigInt({ min: 0n, max: 20n }).map((bytes) => bytes * NANO),
    timeMs: fc.integer({ min: 0, max: 3 }),
  }),
  { maxLength: 12 },
);

test("judge() never lets a quota be exceeded by what it allows, judges all, and the same in any order", () => {
  fc.assert(
    fc.property(charges, fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 3 }), (dumps, limits) => {
      const unique = [...new Map(dumps.map((each) => [each.name, each])).values()];
      const quotas = limits.map((hard, index) => quota(`q${index}`, String(hard)));
      const judgement = judge(unique, quotas);
      const { allowed, denied, beforeNanos, afterNanos } = judgement;
      assert.equal(allowed.length + denied.length, unique.filter(({ state }) => state === "Created").length);
      if (allowed.some(({ dump }) => (dump.sizeNanos ?? 0n) > 0n))
        for (const hard of limits) assert.ok(afterNanos <= BigInt(hard) * NANO);
      assert.equal(
        afterNanos - beforeNanos,
        allowed.reduce((sum, { dump }) => sum + (dump.sizeNanos ?? 0n), 0n),
      );
      assert.deepEqual(judge(unique.toReversed(), quotas.toReversed()), judgement);
    }),
  );
});
