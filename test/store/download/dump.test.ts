import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { STATES } from "../../../src/domain/states.ts";
import { Bundles } from "../../../src/store/download/bundles.ts";
import { openDump } from "../../../src/store/download/dump.ts";
import { runs } from "../../support/runs.ts";
import { FOREVER, NAMESPACE_UID, read, World } from "./world.ts";

const MIB = 1 << 20;
/** Several frames, with a hole in the middle. */
const CORE = {
  lengthBytes: 9 * MIB + 77,
  parts: [
    { atBytes: 0, bytes: randomBytes(3 * MIB) },
    { atBytes: 7 * MIB - 9, bytes: randomBytes(100_000) },
    { atBytes: 9 * MIB, bytes: Buffer.alloc(70, "end") },
  ],
};
const SMALL = { lengthBytes: 5000, parts: [{ atBytes: 100, bytes: randomBytes(3000) }] };

const shop = (name: string, part: "core" | "bundle" = "core") => ({ namespace: "shop", name, part });

const world = new World();
const large = await world.stored(CORE);
const small = await world.stored(SMALL, { executable: "büro\n../../x", hostPid: 7 });
const empty = await world.stored({ lengthBytes: 0, parts: [] }, { executable: "" });

for (const [what, dump] of Object.entries({ large, small, empty })) {
  test(`openDump() gives the whole ${what} core, and the whole bundle`, async () => {
    const core = await openDump(shop(dump.name), world.deps, FOREVER);
    assert.ok((await read(core)).equals(dump.core));
    assert.equal(core.lengthBytes, dump.core.length);
    assert.equal(core.etag, `"sha256-${dump.record.core.sha256}-${dump.core.length}"`);
    assert.match(core.filename, /^[A-Za-z0-9._-]+\.core$/);
    const bundle = await openDump(shop(dump.name, "bundle"), world.deps, FOREVER);
    assert.ok((await read(bundle)).equals(dump.bundle));
    assert.match(bundle.filename, /^[A-Za-z0-9._-]+\.tar\.zst$/);
    assert.notEqual(bundle.etag, core.etag);
  });
}

test("openDump() gives any range, the same as of the whole", async () => {
  for (const part of ["core", "bundle"] as const) {
    const whole = large[part];
    const download = await openDump(shop(large.name, part), world.deps, FOREVER);
    const place = fc.oneof(
      fc.nat(whole.length),
      fc.nat(5).map((frame) => Math.min(whole.length, frame * 2 * MIB)),
    );
    await fc.assert(
      fc.asyncProperty(place, place, async (one, other) => {
        const [from, to] = [Math.min(one, other), Math.max(one, other)];
        assert.ok((await read(download, from, to)).equals(whole.subarray(from, to)));
      }),
      { numRuns: runs(40) },
    );
  }
});

test("openDump() opens a bundle once for many ranges, also at the same time", async () => {
  const deps = { ...world.deps, bundles: new Bundles(world.source) };
  world.source.reads = 0;
  const downloads = await Promise.all(Array.from({ length: 20 }, () => openDump(shop(large.name), deps, FOREVER)));
  const opened = world.source.reads;
  assert.ok(opened <= 3, `${opened} reads to open it`);
  for (const [at, download] of downloads.entries()) await read(download, at * 1000, at * 1000 + 100);
  assert.equal(world.source.reads, opened + 20, "a frame for each range");
});

const refusals: readonly { state: string; reason?: string; message?: string; want: object }[] = [
  { state: "Capturing", want: { code: "DUMP_NOT_READY", message: /still being captured/ } },
  { state: "Captured", want: { code: "DUMP_NOT_READY" } },
  { state: "Created", want: { code: "DUMP_NOT_READY", message: /waits for the quota/ } },
  { state: "Allowed", want: { code: "DUMP_NOT_READY" } },
  {
    state: "FailedToSave",
    message: "the store is full",
    want: { code: "DUMP_NOT_READY", message: /the store is full/ },
  },
  {
    state: "Denied",
    message: "Quota exceed, required 9Gi",
    want: { code: "DUMP_NOT_HELD", message: /not kept: Quota exceed, required 9Gi/, hint: /quota/ },
  },
  {
    state: "Refused",
    reason: "TooBig",
    message: "41 GiB, limit 32 GiB",
    want: { code: "DUMP_NOT_HELD", message: /41 GiB/ },
  },
  { state: "Refused", reason: "NotDumpable", want: { code: "DUMP_RESTRICTED", hint: /Root of .* can read it/ } },
  { state: "Restricted", want: { code: "DUMP_RESTRICTED" } },
  { state: "Evicted", want: { code: "DUMP_NOT_HELD" } },
  { state: "Deleted", want: { code: "DUMP_NOT_HELD" } },
  { state: "Lost", want: { code: "DUMP_NOT_HELD" } },
];
for (const { state, reason, message, want } of refusals)
  test(`openDump() says why a dump that is ${state} ${reason ?? ""} cannot be had`, async () => {
    const world = new World();
    const { name, coredump } = await world.stored(SMALL);
    coredump.status = { state, reason, message };
    await assert.rejects(openDump(shop(name), world.deps, FOREVER), want);
    assert.equal(world.source.reads, 0, "nothing is read");
  });

for (const state of STATES.filter((each) => each !== "Saved"))
  test(`openDump() gives nothing of a dump that is ${state}, and says why`, async () => {
    const world = new World();
    const { name, coredump } = await world.stored(SMALL);
    coredump.status = { state };
    await assert.rejects(openDump(shop(name), world.deps, FOREVER), { code: /^DUMP_(NOT_READY|NOT_HELD|RESTRICTED)$/ });
  });

for (const dumpable of [0, 2, null]) // null: an earlier version put such bundles into the tenant's own place
  test(`openDump() serves nobody the memory of a process with dump mode ${dumpable}, whatever its Coredump says`, async () => {
    const world = new World();
    const dump = await world.stored(SMALL, { dumpable });
    const place = dump.key.replace("_restricted/", "");
    await assert.rejects(openDump(shop(dump.name), world.deps, FOREVER), { code: "DUMP_NOT_HELD" });
    world.source.bundles.set(place, dump.bundle); // even if it lay in the tenant's own place
    await assert.rejects(openDump(shop(dump.name), world.deps, FOREVER), { code: "DUMP_RESTRICTED" });
  });

test("openDump() serves nothing of a namespace that ends, and nothing to the next of its name", async () => {
  const world = new World();
  const dump = await world.stored(SMALL);
  const refused = (code: string) => assert.rejects(openDump(shop(dump.name), world.deps, FOREVER), { code });
  world.namespaces.set("shop", { uid: NAMESPACE_UID, deletionTimestamp: "2026-11-21T07:21:03Z" });
  await refused("NOT_FOUND");
  world.namespaces.set("shop", { uid: "another" });
  await refused("DUMP_NOT_HELD");
  Object.assign(dump.coredump.spec, { namespaceUid: "another" }); // the bundle itself remembers whose it is
  await refused("STORE_CORRUPT");
  world.namespaces.delete("shop");
  await refused("NOT_FOUND");
});

test("openDump() takes no word from status.key or the volume", async () => {
  const world = new World();
  const [mine, other] = [await world.stored(SMALL), await world.stored(CORE, { executable: "secret" })];
  Object.assign(mine.coredump.status, { key: other.key });
  Object.assign(mine.coredump.spec, { volume: "/etc" });
  assert.ok((await read(await openDump(shop(mine.name), world.deps, FOREVER))).equals(mine.core));
});

test("openDump() sees that a bundle is another dump's", async () => {
  const world = new World();
  const [mine, other] = [await world.stored(SMALL), await world.stored(CORE)];
  world.source.bundles.set(mine.key, other.bundle);
  await assert.rejects(openDump(shop(mine.name), world.deps, FOREVER), {
    code: "STORE_CORRUPT",
    message: /another dump's/,
  });
});

test("openDump() sees that the core is not the one that the node reported", async () => {
  const world = new World();
  const dump = await world.stored(SMALL);
  Object.assign(dump.coredump.status, { checksum: `sha256:${"0".repeat(64)}` });
  await assert.rejects(openDump(shop(dump.name), world.deps, FOREVER), { code: "STORE_CORRUPT", message: /checksum/ });
});

test("openDump() says that a stored bundle is gone, and where it was", async () => {
  const world = new World();
  const dump = await world.stored(SMALL);
  Object.assign(dump.coredump.spec, { volume: "s3://cores" });
  world.source.bundles.clear();
  await assert.rejects(openDump(shop(dump.name), world.deps, FOREVER), { code: "DUMP_NOT_HELD", hint: /s3:\/\/cores/ });
});

test("openDump() makes no path of a name that is none", async () => {
  const names = [
    "",
    ".",
    "..",
    "../secrets/x",
    "a/b",
    "%2e%2e",
    "a%2fb",
    "ü",
    "a\0b",
    "A",
    "a".repeat(300),
    "..%2f",
    "a?b",
    "a#b",
  ];
  const asked = world.kube.asked.length;
  for (const name of names) {
    await assert.rejects(openDump(shop(name), world.deps, FOREVER), { code: "NOT_FOUND" });
    await assert.rejects(openDump({ ...shop(small.name), namespace: name }, world.deps, FOREVER), {
      code: "NOT_FOUND",
    });
  }
  const paths = world.kube.asked.slice(asked).map(({ path }) => path);
  assert.deepEqual(
    paths.filter((path) => path !== "/api/v1/namespaces/shop" && !path.endsWith(`/shop/coredumps/${small.name}`)),
    [],
  );
});

test("a damaged bundle gives an error or the right bytes, wherever the damage is", async () => {
  const world = new World();
  const dump = await world.stored(CORE);
  const from = fc.nat(dump.core.length - 1);
  const place = fc.oneof(
    fc.nat(dump.bundle.length - 1),
    fc.nat(99).map((back) => dump.bundle.length - 1 - back),
    fc.nat(3000),
  );
  await fc.assert(
    fc.asyncProperty(place, fc.integer({ min: 1, max: 255 }), from, async (at, flip, from) => {
      const damaged = Buffer.from(dump.bundle);
      damaged[at] = (damaged[at] ?? 0) ^ flip;
      world.source.bundles.set(dump.key, damaged);
      const to = Math.min(from + 300_000, dump.core.length);
      const got = await openDump(shop(dump.name), world.deps, FOREVER)
        .then(
          (download) => read(download, from, to),
          (error) => error,
        )
        .catch((error) => error);
      if (Buffer.isBuffer(got)) assert.ok(got.equals(dump.core.subarray(from, to)));
      else assert.equal(got.code, "STORE_CORRUPT");
    }),
    { numRuns: runs(300) },
  );
});

test("a bundle that is cut short gives an error", async () => {
  const world = new World();
  const dump = await world.stored(CORE);
  for (const length of [0, 1, 8, 9, 100, 10_000, dump.bundle.length - 1]) {
    world.source.bundles.set(dump.key, dump.bundle.subarray(0, length));
    await assert.rejects(openDump(shop(dump.name), world.deps, FOREVER), { code: "STORE_CORRUPT" });
  }
});

test("a bundle that is replaced or goes while it is read ends in an error", async () => {
  const world = new World();
  const dump = await world.stored(CORE);
  for (const part of ["core", "bundle"] as const) {
    const download = await openDump(shop(dump.name, part), world.deps, FOREVER);
    world.source.bundles.set(dump.key, Buffer.from(dump.bundle).fill(0, 0, 1));
    await assert.rejects(read(download), { code: "STORE_CORRUPT" });
    world.source.bundles.delete(dump.key);
    await assert.rejects(read(download), { code: "NOT_FOUND" });
    world.source.bundles.set(dump.key, dump.bundle);
  }
});

test("who stops reading, or is gone, has nothing fetched for them any more", async () => {
  const world = new World();
  const dump = await world.stored({ lengthBytes: 40 * MIB, parts: [{ atBytes: 0, bytes: randomBytes(40 * MIB) }] });
  for (const part of ["core", "bundle"] as const) {
    const download = await openDump(shop(dump.name, part), world.deps, FOREVER);
    const before = world.source.reads;
    for await (const chunk of download.read(0, download.lengthBytes, FOREVER)) if (chunk.length > 0) break;
    const stop = new AbortController();
    const reading = async () => {
      for await (const chunk of download.read(0, download.lengthBytes, stop.signal))
        if (chunk.length > 0) stop.abort(new Error("gone"));
    };
    await assert.rejects(reading(), { message: "gone" });
    assert.ok(world.source.reads - before <= 8, `${world.source.reads - before} reads`);
  }
});
