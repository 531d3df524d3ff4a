/** Which cores give way: fair to owners whatever they hold, and nothing for nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Holding, ownerGroup, victimsFor } from "../../../src/node/cache/eviction.ts";

/** `a3 b2*`: the oldest first; owner, bytes; a star: cannot give way. */
const holdings = (text: string): Holding[] =>
  text
    .split(" ")
    .filter(Boolean)
    .map((word, at) => {
      const [, owner = "", bytes = "", star] = /^([a-z]+)(\d+)(\*?)$/.exec(word) ?? assert.fail(word);
      return { id: `${at}${owner}`, owner, bytes: BigInt(bytes), evictable: star === "" };
    });

const cases = [
  { on: "there is room", held: "a1 b1", room: 5, wants: "a5", want: "" },
  { on: "the new dump's owner holds most", held: "b3 a4 a4", room: 1, wants: "a3", want: "1a" },
  { on: "another holds most", held: "a1 b4 b4", room: 0, wants: "a3", want: "1b" },
  { on: "it takes turns", held: "b3 b3 c3 c4", room: 0, wants: "a4", want: "2c 0b" },
  { on: "they hold as much: the new dump's owner gives", held: "b4 a2", room: 0, wants: "a2", want: "1a" },
  { on: "others hold less than it would: none goes", held: "b3 c3 d3", room: 0, wants: "a4", want: "" },
  { on: "all that may go would not suffice: none goes", held: "a2 b2", room: 0, wants: "a3", want: "" },
  {
    on: "who holds most cannot give way: the next, if it holds more",
    held: "b9* c5",
    room: 0,
    wants: "a2",
    want: "1c",
  },
  {
    on: "there is room, but its owner is above its share",
    held: "a3 a3 b1",
    room: 6,
    wants: "a3",
    share: 7,
    want: "0a",
  },
  { on: "above its share, and nobody else is there", held: "a3 a3", room: 6, wants: "a3", share: 5, want: "" },
  { on: "above its share by one dump alone: there is room", held: "b1", room: 9, wants: "a9", share: 5, want: "" },
  { on: "above its share by what cannot give way", held: "a6* b1", room: 3, wants: "a2", share: 5, want: "" },
  { on: "limits are exceeded already", held: "a3 b3", room: -2, wants: "c1", want: "0a" },
] as const;
for (const { on, held, room, wants, want, ...rest } of cases) {
  test(`victimsFor() where ${on}`, () => {
    const [new_] = holdings(wants);
    const need = { owner: new_?.owner ?? "", wantedBytes: new_?.bytes ?? 0n, roomBytes: BigInt(room) };
    const shareBytes = "share" in rest ? BigInt(rest.share) : 1000n;
    const victims = victimsFor(holdings(held), { ...need, shareBytes });
    assert.equal(victims.map(({ id }) => id).join(" "), want);
  });
}

const anyHolding = fc.record({
  owner: fc.constantFrom("a", "b", "c", "d"),
  bytes: fc.nat(20).map(BigInt),
  evictable: fc.boolean(),
});

test("victimsFor() takes the oldest of an owner, suffices, and takes from nobody who then holds less than the new dump's owner by more than one core", () => {
  fc.assert(
    fc.property(
      fc.array(anyHolding, { maxLength: 20 }),
      fc.nat(30),
      fc.integer({ min: -5, max: 20 }),
      (some, wants, room) => {
        const held = some.map((holding, at) => ({ ...holding, id: `${at}` }));
        const need = { owner: "a", wantedBytes: BigInt(wants), roomBytes: BigInt(room), shareBytes: 1000n };
        const victims = victimsFor(held, need);
        const sum = (list: readonly Holding[]) => list.reduce((bytes, holding) => bytes + holding.bytes, 0n);
        assert.ok(victims.every(({ evictable }) => evictable));
        if (victims.length === 0) return;
        assert.ok(need.roomBytes + sum(victims) >= need.wantedBytes);
        const ofOwner = (list: readonly Holding[], name: string) => list.filter(({ owner }) => owner === name);
        for (const name of ["a", "b", "c", "d"]) {
          const [all, gone] = [ofOwner(held, name).filter(({ evictable }) => evictable), ofOwner(victims, name)];
          assert.deepEqual(gone, all.slice(0, gone.length), "the oldest");
          const last = gone.at(-1);
          const mine = sum(ofOwner(held, "a")) - sum(ofOwner(victims, "a")) + need.wantedBytes;
          if (name === "a" || !last) continue;
          assert.ok(sum(ofOwner(held, name)) - sum(gone) + last.bytes > mine, "it held more before its last core went");
        }
      },
    ),
  );
});

test("ownerGroup() tells namespaces apart, and no namespace is the host", () => {
  const pod = (namespace: string) => ({ namespace, name: "x", uid: "x" });
  assert.deepEqual(
    [
      ownerGroup({ owner: "pod", pod: pod("host") }),
      ownerGroup({ owner: "host", pod: null }),
      ownerGroup({ owner: "docker", pod: null }),
      ownerGroup({ owner: "unknown", pod: null }),
    ],
    ["pod/host", "host", "docker", "unknown"],
  );
});
