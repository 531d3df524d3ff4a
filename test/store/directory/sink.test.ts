import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { giveToGroup } from "../../../src/store/directory/folder.ts";
import { DirectorySink } from "../../../src/store/directory/sink.ts";
import { FOREVER, testUpload } from "../../contract/uploads.ts";
import { tempDir, tempFileSystem } from "../../support/tmp.ts";

const MIB = 1 << 20;
const isRoot = process.getuid?.() === 0;
const SMALL = randomBytes(1000);
const LARGE = randomBytes(40 * MIB);

/** What an attempt that broke at 35 MiB leaves. */
async function halfPut(store: string) {
  const upload = testUpload(LARGE);
  upload.before = (at) => assert.ok(at < 35 * MIB, "enough");
  await assert.rejects(new DirectorySink(store).put(upload, FOREVER), { message: "enough" });
  upload.before = () => undefined;
  const file = join(store, upload.key);
  return { upload, file, part: join(dirname(file), `.${upload.key.split("/").at(-1)}.part`) };
}

test("put() never makes the store's own directory: its volume may not be mounted", async () => {
  using dir = tempDir();
  const store = join(dir.path, "volume");
  await assert.rejects(new DirectorySink(store).put(testUpload(SMALL), FOREVER), { code: "STORE_MISSING" });
  assert.ok(!existsSync(store));
});

test("put() follows no link below the store", async () => {
  using dir = tempDir();
  const [store, outside] = [join(dir.path, "store"), join(dir.path, "outside")];
  for (const path of [store, outside]) mkdirSync(path);
  symlinkSync(outside, join(store, "shop"));
  await assert.rejects(new DirectorySink(store).put(testUpload(SMALL), FOREVER), {
    code: "STORE_DENIED",
    hint: /another program writes there/,
  });
  assert.deepEqual(readdirSync(outside), []);
});

test("put() writes through no link that stands where its file or temporary file should be", async () => {
  using dir = tempDir();
  const target = join(dir.path, "target");
  writeFileSync(target, "mine");
  const upload = testUpload(SMALL);
  const file = join(dir.path, upload.key);
  mkdirSync(dirname(file), { recursive: true });
  symlinkSync(target, file);
  await new DirectorySink(dir.path).put(upload, FOREVER);
  assert.ok(readFileSync(file).equals(SMALL));
  symlinkSync(target, join(dirname(file), `.${upload.key.split("/").at(-1)}.part`));
  await assert.rejects(new DirectorySink(dir.path).put(upload, FOREVER), { code: "STORE_DENIED" });
  assert.equal(readFileSync(target, "utf8"), "mine");
});

test("put() names a file in a directory's place", async () => {
  using dir = tempDir();
  writeFileSync(join(dir.path, "shop"), "");
  await assert.rejects(new DirectorySink(dir.path).put(testUpload(SMALL), FOREVER), { code: "STORE_DENIED" });
});

test("put() lets the volume's group read, and nobody else", async () => {
  using dir = tempDir();
  const upload = testUpload(SMALL);
  await new DirectorySink(dir.path).put(upload, FOREVER);
  const file = join(dir.path, upload.key);
  assert.equal(statSync(file).mode & 0o777, 0o640);
  assert.equal(statSync(dirname(file)).mode & 0o777, 0o750);
});

test("put() does not go on with a temporary file that is not as it was left", async () => {
  using dir = tempDir();
  const { upload, part, file } = await halfPut(dir.path);
  const bytes = readFileSync(part);
  bytes[MIB] = (bytes[MIB] ?? 0) ^ 1; // a power cut lost a block
  writeFileSync(part, bytes);
  await new DirectorySink(dir.path).put(upload, FOREVER);
  assert.equal(upload.asked.at(-1), 0);
  assert.ok(readFileSync(file).equals(LARGE));
});

test("put() drops what a killed attempt wrote behind its last note", async () => {
  using dir = tempDir();
  const { upload, part, file } = await halfPut(dir.path);
  writeFileSync(part, randomBytes(20 * MIB), { flag: "a" });
  await new DirectorySink(dir.path).put(upload, FOREVER);
  assert.ok((upload.asked.at(-1) ?? 0) > 0);
  assert.ok(readFileSync(file).equals(LARGE));
});

test("put() into a full store says so, and goes on when there is room", { skip: !isRoot && "needs root" }, async () => {
  using volume = tempFileSystem(BigInt(30 * MIB));
  const sink = new DirectorySink(volume.path);
  const upload = testUpload(LARGE);
  await assert.rejects(sink.put(upload, FOREVER), { code: "STORE_FULL", message: /ENOSPC/, hint: /make room/ });
  assert.ok(!existsSync(join(volume.path, upload.key)));
  execFileSync("mount", ["-o", `remount,size=${60 * MIB}`, volume.path]);
  await sink.put(upload, FOREVER);
  assert.ok((upload.asked.at(-1) ?? 0) > 0, "goes on");
  assert.ok(readFileSync(join(volume.path, upload.key)).equals(LARGE));
});

test("put() into a read-only store says so", { skip: !isRoot && "needs root" }, async () => {
  using volume = tempFileSystem(BigInt(30 * MIB));
  execFileSync("mount", ["-o", "remount,ro", volume.path]);
  await assert.rejects(new DirectorySink(volume.path).put(testUpload(SMALL), FOREVER), {
    code: "STORE_DENIED",
    hint: /mounted read-only/,
  });
});

test("put() into a store that may not be written says so", { skip: isRoot && "root may" }, async () => {
  using dir = tempDir();
  chmodSync(dir.path, 0o500);
  await assert.rejects(new DirectorySink(dir.path).put(testUpload(SMALL), FOREVER), { code: "STORE_DENIED" });
});

test("put() does not take an errno of the bundle for one of the store", async () => {
  using dir = tempDir();
  const upload = testUpload(SMALL);
  const failure = Object.assign(new Error("ENOSPC: of the cache"), { name: "DumpError", code: "CACHE_UNUSABLE" });
  upload.before = () => {
    throw failure;
  };
  await assert.rejects(new DirectorySink(dir.path).put(upload, FOREVER), failure);
});

test("giveToGroup() lets a group read and remove what is put from then on", {
  skip: !isRoot && "needs root",
}, async () => {
  using dir = tempDir();
  const store = join(dir.path, "store");
  mkdirSync(store, { mode: 0o755 });
  for (const _ of [1, 2]) await giveToGroup(store, 65532);
  const upload = testUpload(SMALL);
  await new DirectorySink(store).put(upload, FOREVER);
  chmodSync(dir.path, 0o755);
  const file = join(store, upload.key);
  const asGroup = (program: string, ...args: string[]) => execFileSync(program, args, { uid: 65532, gid: 65532 });
  assert.ok(asGroup("cat", file).equals(SMALL));
  asGroup("rm", file);
});

test("giveToGroup() says when there is no such directory", async () => {
  using dir = tempDir();
  await assert.rejects(giveToGroup(join(dir.path, "volume"), 65532), { code: "STORE_MISSING" });
});
