import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { Bundles } from "../../../src/store/download/bundles.ts";
import type { EndpointRequest } from "../../../src/store/download/download.ts";
import { openEndpoint } from "../../../src/store/download/endpoint.ts";
import { UID } from "../../cluster/registration/records.ts";
import { tempDir } from "../../support/tmp.ts";
import { FOREVER, NAMESPACE_UID, read, type StoredDump, World } from "./world.ts";

const CORE = { lengthBytes: 3_000_000, parts: [{ atBytes: 5, bytes: randomBytes(2_500_000) }] };
const SMALL = { lengthBytes: 5000, parts: [{ atBytes: 100, bytes: randomBytes(3000) }] };
const container = (name: string) => ({
  runtime: "containerd",
  id: "c",
  name,
  image: null,
  imageDigest: null,
  attempt: 0,
});
const OTHER_POD = { namespace: "shop", name: "web-1", uid: "11111111-3c1b-4a5e-9a59-1f6f0f3f6c11" };

const asked: EndpointRequest = { namespace: "shop", namespaceUid: NAMESPACE_UID, podUid: UID, part: "bundle" };

const world = new World();
const nginx = await world.stored(CORE, { container: container("nginx") });
const long = await world.stored(SMALL, { container: container("sidecar"), executable: "x".repeat(200) });
const again = await world.stored(SMALL, {
  container: container("nginx"),
  hostPid: 5,
  dumptime: "2026-11-21T08:00:00.000Z",
});
await world.stored(SMALL, { pod: OTHER_POD });
const all = [nginx, long, again];
const pathOf = ({ key }: StoredDump) => key.split("/").slice(2).join("/");
const corePathOf = (dump: StoredDump) => pathOf(dump).replace(/\.tar\.zst$/, ".core");

/** By tar itself. */
function unpacked(tar: Buffer): Map<string, Buffer> {
  using dir = tempDir();
  writeFileSync(join(dir.path, "t.tar"), tar);
  mkdirSync(join(dir.path, "out"));
  execFileSync("tar", ["-xf", "../t.tar"], { cwd: join(dir.path, "out") });
  const names = execFileSync("tar", ["-tf", "t.tar"], { cwd: dir.path, encoding: "utf8" }).split("\n").filter(Boolean);
  return new Map(names.map((name) => [name, readFileSync(join(dir.path, "out", name))]));
}

test("openEndpoint() gives a tar of the pod's bundles, by container", async () => {
  const download = await openEndpoint(asked, world.deps, FOREVER);
  const files = unpacked(await read(download));
  assert.deepEqual([...files.keys()], all.map(pathOf).sort());
  for (const dump of all) assert.ok(files.get(pathOf(dump))?.equals(dump.bundle));
  assert.equal(download.filename, `${UID}.tar`);
});

test("openEndpoint() gives the plain cores when they are asked for", async () => {
  const files = unpacked(await read(await openEndpoint({ ...asked, part: "core" }, world.deps, FOREVER)));
  assert.deepEqual([...files.keys()], all.map(corePathOf).sort());
  for (const dump of all) assert.ok(files.get(corePathOf(dump))?.equals(dump.core));
});

test("openEndpoint() gives any range, the same as of the whole", async () => {
  for (const part of ["core", "bundle"] as const) {
    const download = await openEndpoint({ ...asked, part }, world.deps, FOREVER);
    const whole = await read(download);
    assert.equal(whole.length, download.lengthBytes);
    const place = fc.oneof(
      fc.nat(whole.length),
      fc.nat(20).map((block) => block * 512),
    );
    await fc.assert(
      fc.asyncProperty(place, place, async (one, other) => {
        const [from, to] = [Math.min(one, other), Math.max(one, other)];
        assert.ok((await read(download, from, to)).equals(whole.subarray(from, to)));
      }),
      { numRuns: 40 },
    );
  }
});

test("openEndpoint() gives the same bytes and ETag again, and others when a dump is added", async () => {
  const world = new World();
  const one = await world.stored(SMALL);
  const two = await world.stored(SMALL, { hostPid: 9 });
  const first = await openEndpoint(asked, world.deps, FOREVER);
  world.coredumps.reverse(); // in whatever order the API server lists them
  const second = await openEndpoint(asked, world.deps, FOREVER);
  assert.equal(second.etag, first.etag);
  assert.ok((await read(second)).equals(await read(first)));
  assert.notEqual((await openEndpoint({ ...asked, part: "core" }, world.deps, FOREVER)).etag, first.etag);
  world.coredumps.pop();
  assert.notEqual((await openEndpoint(asked, world.deps, FOREVER)).etag, first.etag);
  assert.notEqual(one.key, two.key);
});

test("openEndpoint() gives one container's dumps by its exact name", async () => {
  const of = async (container: string) => {
    const files = unpacked(await read(await openEndpoint({ ...asked, container }, world.deps, FOREVER)));
    return [...files.keys()];
  };
  assert.deepEqual(await of("nginx"), [nginx, again].map(pathOf).sort());
  assert.deepEqual(await of("sidecar"), [pathOf(long)]);
  assert.equal((await of("")).length, all.length, "the predecessor's word for all");
});

test("openEndpoint() finds nothing for any other container, pod uid or namespace", async () => {
  const hostile = fc.oneof(
    fc.string({ unit: "binary", minLength: 1, maxLength: 40 }),
    fc.constantFrom(
      ".",
      "..",
      "../nginx",
      "nginx/",
      "./nginx",
      "%6eginx",
      "ngin",
      "nginx\0",
      "NGINX",
      "*",
      "x".repeat(5000),
    ),
  );
  const nothing = (change: Partial<EndpointRequest>) =>
    assert.rejects(openEndpoint({ ...asked, ...change }, world.deps, FOREVER), { code: "NOT_FOUND" });
  await fc.assert(
    fc.asyncProperty(hostile, async (text) => {
      await nothing({ container: text });
      await nothing({ podUid: text });
      await nothing({ namespace: text });
      await nothing({ namespaceUid: text });
    }),
    { numRuns: 200 },
  );
});

test("openEndpoint() leaves out what cannot be served, and says why when nothing can", async () => {
  const world = new World();
  const stored = await world.stored(SMALL);
  const denied = await world.stored(SMALL, { hostPid: 8 });
  Object.assign(denied.coredump.status, { state: "Denied", message: "Quota exceed" });
  const files = unpacked(await read(await openEndpoint(asked, world.deps, FOREVER)));
  assert.deepEqual([...files.keys()], [pathOf(stored)]);
  world.coredumps.shift();
  await assert.rejects(openEndpoint(asked, world.deps, FOREVER), { code: "DUMP_NOT_HELD", message: /Quota exceed/ });
});

test("openEndpoint() leaves out a process that was not dumpable and an earlier namespace's dumps", async () => {
  const world = new World();
  const stored = await world.stored(SMALL);
  const restricted = await world.stored(SMALL, { dumpable: 2, hostPid: 8 });
  Object.assign(restricted.coredump.status, { state: "Restricted" });
  const earlier = await world.stored(SMALL, { hostPid: 9 });
  Object.assign(earlier.coredump.spec, { namespaceUid: "another" });
  const files = unpacked(await read(await openEndpoint(asked, world.deps, FOREVER)));
  assert.deepEqual([...files.keys()], [pathOf(stored)]);
});

test("openEndpoint() breaks off rather than leave out a bundle that is gone or damaged", async () => {
  const world = new World();
  const dump = await world.stored(SMALL);
  await world.stored(SMALL, { hostPid: 8 });
  world.source.bundles.set(dump.key, dump.bundle.subarray(0, 100));
  await assert.rejects(openEndpoint(asked, world.deps, FOREVER), { code: "STORE_CORRUPT" });
  world.source.bundles.delete(dump.key);
  await assert.rejects(openEndpoint(asked, world.deps, FOREVER), {
    code: "DUMP_NOT_HELD",
    message: new RegExp(dump.name),
  });
});

test("openEndpoint() opens of many bundles only those whose bytes are asked for, each before its first byte goes out", async () => {
  const world = new World();
  const dumps = [];
  for (let hostPid = 1; hostPid <= 20; hostPid++) dumps.push(await world.stored(SMALL, { hostPid }));
  const reads: string[] = [];
  const { source } = world;
  const counting = {
    volume: source.volume,
    head: source.head.bind(source),
    read: (...args: Parameters<typeof source.read>) => {
      reads.push(args[0].key);
      return source.read(...args);
    },
  };
  const deps = { kube: world.kube, bundles: new Bundles(counting) };
  const download = await openEndpoint(asked, deps, FOREVER);
  assert.equal(new Set(reads).size, 1);
  const whole = await read(download);
  assert.equal(unpacked(whole).size, 20);
  const [last, before] = [dumps.at(-1), dumps.at(-2)];
  if (last && before) world.source.bundles.set(last.key, before.bundle); // there lies another dump's
  const again = await openEndpoint(asked, { kube: world.kube, bundles: new Bundles(source) }, FOREVER);
  await assert.rejects(read(again), { code: "STORE_CORRUPT", message: /another dump's/ });
});

test("openEndpoint() refuses more than a tar may have", async () => {
  const world = new World();
  const { coredump } = await world.stored(SMALL);
  for (let at = 0; at < 100; at++) world.coredumps.push(coredump);
  await assert.rejects(openEndpoint({ ...asked, part: "core" }, world.deps, FOREVER), {
    code: "USAGE",
    message: /there are 101, at most 100/,
  });
  for (let at = 0; at < 900; at++) world.coredumps.push(coredump);
  await assert.rejects(openEndpoint(asked, world.deps, FOREVER), { code: "USAGE" });
});
