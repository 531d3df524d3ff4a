/** Cores out of the cache, and what is proven of them: with a real core, and with all that can go wrong. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { defaultName } from "../../../src/cli/commands/extract.ts";
import type { Finding } from "../../../src/cli/output/findings.ts";
import { needs } from "../../support/set-up.ts";
import { tempFileSystem } from "../../support/tmp.ts";
import { CORE, HOSTILE, RECORDS, record, testCache, withCore } from "./records.ts";
import { run } from "./run.ts";

const ID = "3f9c2a71b0de";

/** 64 MiB long, three pages of data. */
function sparseCore(): Buffer {
  const bytes = Buffer.alloc(64 << 20);
  readFileSync(CORE).copy(bytes, 0, 0, 4096);
  bytes.fill(7, 20 << 20, (20 << 20) + 4096);
  bytes[(40 << 20) + 5] = 1;
  return bytes;
}

const blockBytes = (path: string): number => statSync(path).blocks * 512;

test("dump makes a file of the same bytes that only its owner can read", async () => {
  using cache = withCore();
  const file = cache.path("out.core");
  const { code, stderr } = await run(["dump", ID, file, "-d", cache.dir]);
  assert.equal(code, 0, stderr);
  execFileSync("cmp", [cache.core, file]);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.match(stderr, /^\S+out\.core: .* held, sha256 [0-9a-f]{64}\n$/);
  assert.deepEqual(readdirSync(cache.path("")).sort(), ["cache", "out.core"]);
});

test("dump keeps holes, at the end too", async () => {
  using cache = testCache();
  const bytes = sparseCore();
  cache.put(record(ID), bytes);
  const file = cache.path("out.core");
  const { code, stderr } = await run(["dump", ID, file, "-d", cache.dir]);
  assert.equal(code, 0, stderr);
  assert.ok(readFileSync(file).equals(bytes));
  assert.ok(blockBytes(file) <= 64 * 1024, `${blockBytes(file)} bytes on the disk`);
});

for (const args of [[ID], [ID, "-"]]) {
  test(`dump ${args.join(" ")} writes to stdout when that is no terminal`, async () => {
    using cache = withCore();
    const { code, stdout } = await run(["dump", ...args, "-d", cache.dir]);
    assert.equal(code, 0);
    assert.ok(stdout.equals(readFileSync(CORE)));
  });
}

test("dump to a reader that went away ends quietly with 141", async () => {
  using cache = testCache();
  cache.put(record(ID), sparseCore());
  const { code, stderr } = await run(["dump", ID, "-d", cache.dir], {
    meddle: ({ stdout }) => stdout.once("data", () => stdout.destroy()),
  });
  assert.deepEqual([code, stderr], [141, ""]);
});

test("dump into a directory gives the file a name of safe characters", async () => {
  using cache = testCache();
  const { hostPid } = cache.put({ ...HOSTILE, executable: "../../a b\n\x1b[31m" }, CORE);
  const { code } = await run(["dump", "badbadbadbad", cache.path(""), "-d", cache.dir]);
  assert.equal(code, 0);
  assert.ok(existsSync(cache.path(`_.._a_b___31m-20261121T072103512Z-${hostPid}-badbadbadbad.core`)));
});

test("defaultName() names executable, time, pid and short id", () => {
  assert.equal(defaultName(record(ID)), "nginx-20261121T072103512Z-31605-3f9c2a71b0de.core");
});

test("dump replaces a file with --force only, and a link, not what it points to", async () => {
  using cache = withCore();
  const [precious, link] = [cache.path("precious"), cache.path("link")];
  writeFileSync(precious, "mine");
  symlinkSync(precious, link);
  for (const file of [precious, link]) {
    const { code, stderr } = await run(["dump", ID, file, "-d", cache.dir]);
    assert.equal(code, 74);
    assert.match(stderr, /is there already\nhint: --force/);
  }
  assert.equal((await run(["dump", ID, link, "--force", "-d", cache.dir])).code, 0);
  assert.ok(readFileSync(link).equals(readFileSync(CORE)));
  assert.equal(readFileSync(precious, "utf8"), "mine");
});

test("dump writes into a device or a named pipe, and replaces neither", async () => {
  using cache = withCore();
  const pipe = cache.path("pipe");
  execFileSync("mkfifo", [pipe]);
  const [ended, read] = await Promise.all([
    run(["dump", ID, pipe, "-d", cache.dir]),
    import("node:fs/promises").then(({ readFile }) => readFile(pipe)),
  ]);
  assert.equal(ended.code, 0);
  assert.ok(read.equals(readFileSync(CORE)));
  assert.ok(statSync(pipe).isFIFO());
  assert.equal((await run(["dump", ID, "/dev/null", "--force", "-d", cache.dir])).code, 0);
  assert.ok(statSync("/dev/null").isCharacterDevice());
});

for (const [what, tamper] of [
  ["a byte differs", (core: string) => writeFileSync(core, readFileSync(core).fill(1, 5000, 5001))],
  ["bytes are missing", (core: string) => truncateSync(core, 8192)],
  ["bytes were added", (core: string) => appendFileSync(core, "x")],
] as const) {
  test(`dump and verify end with 65 where ${what}, and no file gets the name`, async () => {
    using cache = withCore();
    tamper(cache.core);
    const dumped = await run(["dump", ID, cache.path("out.core"), "-d", cache.dir]);
    assert.match(dumped.stderr, /^error: Cannot confirm 3f9c2a71b0de: its SHA-256 is .*\nhint: /);
    assert.equal(dumped.code, 65);
    assert.deepEqual(readdirSync(cache.path("")), ["cache"]);
    const verified = await run(["verify", ID, "-o", "json", "-d", cache.dir]);
    assert.equal(verified.code, 65);
    const [finding] = JSON.parse(verified.stdout.toString()) as Finding[];
    assert.equal(finding?.checksum, "wrong");
  });
}

test("dump warns of an incomplete core and copies it all the same; verify ends with 65", async () => {
  using cache = testCache();
  const whole = readFileSync(CORE);
  const cut = cache.put(record(ID), whole.subarray(0, 20_000));
  const core = { ...cut.core, expectedBytes: whole.length, complete: false, truncation: "disk-full" as const };
  writeFileSync(join(cache.dir, cut.id, "record.json"), JSON.stringify({ ...cut, core }));
  const dumped = await run(["dump", ID, cache.path("out.core"), "-d", cache.dir]);
  assert.equal(dumped.code, 0);
  assert.match(dumped.stderr, /^warning: this core is not complete: the disk was full at 20 KiB of /);
  const verified = await run(["verify", ID, "-d", cache.dir]);
  assert.match(verified.stderr, /^error: Cannot confirm 1 of 1: 3f9c2a71b0de is incomplete \(the disk was full at /);
  assert.equal(verified.code, 65);
});

test("dump and verify say that a checksum is not known yet", async () => {
  using cache = testCache();
  const { id, core, ...rest } = cache.put(record(ID), CORE);
  writeFileSync(join(cache.dir, id, "record.json"), JSON.stringify({ ...rest, id, core: { ...core, sha256: null } }));
  const dumped = await run(["dump", ID, cache.path("out.core"), "-d", cache.dir]);
  assert.equal(dumped.code, 0);
  assert.match(dumped.stderr, /^warning: .* was not checked\n/);
  const verified = await run(["verify", ID, "-o", "json", "-d", cache.dir]);
  assert.equal(verified.code, 0);
  assert.equal((JSON.parse(verified.stdout.toString()) as Finding[])[0]?.checksum, "unknown");
});

for (const { id, says } of [
  { id: "90b2c4e1d7aa", says: /not held \(too big: 41 GiB, limit 32 GiB\)/ },
  { id: "0123456789ab", says: /not held \(made room for a newer dump\)/ },
  { id: "000000000000", says: /not held \(the kernel gave up\)/ },
  { id: "77aa01c2f3b4", says: /core is gone/ }, // the record says there is one
]) {
  test(`dump and verify end with 66 for ${id}: ${says.source}`, async () => {
    using cache = testCache(RECORDS);
    for (const args of [
      ["dump", id, cache.path("out.core")],
      ["verify", id],
    ]) {
      const { code, stderr } = await run([...args, "-d", cache.dir]);
      assert.match(stderr, says);
      assert.equal(code, 66);
    }
    assert.deepEqual(readdirSync(cache.path("")), ["cache"]);
  });
}

test("dump to a full disk ends with 74 and leaves nothing there", { skip: needs("root") }, async () => {
  using cache = withCore();
  using small = tempFileSystem(8192n);
  const { code, stderr } = await run(["dump", ID, join(small.path, "out.core"), "-d", cache.dir]);
  assert.match(stderr, /^error: Cannot write \S+out\.core: ENOSPC: no space left on device\n/);
  assert.equal(code, 74);
  assert.deepEqual(readdirSync(small.path), []);
});

test("dump into a directory that is not there ends with 74", async () => {
  using cache = withCore();
  const { code, stderr } = await run(["dump", ID, cache.path("no/out.core"), "-d", cache.dir]);
  assert.match(stderr, /^error: Cannot write \S+out\.core: ENOENT/);
  assert.equal(code, 74);
});

/** Whether the process has a file of that directory open; it has no name yet. */
function hasFileIn(folder: string, pid: number | undefined): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(`${folder}/`));
  } catch {
    return false; // it has just closed one
  }
}

for (const signal of ["SIGTERM", "SIGKILL"] as const)
  test(`dump that is interrupted dies of ${signal} and leaves no half file`, async () => {
    using cache = testCache();
    const { id } = cache.put(record(ID));
    const core = join(cache.dir, id, "core");
    writeFileSync(core, "");
    truncateSync(core, 64 * 2 ** 30); // long enough to be still at it
    const folder = cache.path("out");
    mkdirSync(folder);
    const { code } = await run(["dump", ID, folder, "-d", cache.dir], {
      meddle(child) {
        const timer = setInterval(() => {
          if (!hasFileIn(folder, child.pid)) return;
          clearInterval(timer);
          child.kill(signal);
        }, 20);
      },
    });
    assert.equal(code, null);
    assert.deepEqual(readdirSync(folder), []);
  });

test("verify --all proves every core that is held, and names the bad one", async () => {
  using cache = testCache(RECORDS.filter(({ state }) => state !== "Captured"));
  cache.put(record(ID), CORE);
  const good = await run(["verify", "--all", "-d", cache.dir]);
  assert.match(good.stdout.toString(), /^ID .*\n3f9c2a71b0de {2}nginx .* yes {7}right\n$/);
  assert.equal(good.code, 0);
  cache.put(record("aaaaaaaaaaaa"), Buffer.from("not a core"));
  const bad = await run(["verify", "--all", "-d", cache.dir]);
  assert.match(bad.stderr, /^error: Cannot confirm 1 of 2: aaaaaaaaaaaa is not a whole core: it is not an ELF core\n/);
  assert.equal(bad.code, 65);
});

test("a dump that is being captured is busy, not broken", async () => {
  using cache = testCache();
  const capturing = cache.put(
    record(ID, { state: "Capturing", core: { ...record(ID).core, complete: null, sha256: null } }),
  );
  const { FileLock } = await import("../../../src/system/lock.ts");
  using lock = FileLock.try(join(cache.dir, capturing.id, "lock"));
  assert.ok(lock);
  assert.equal((await run(["dump", ID, "-d", cache.dir])).code, 75);
  assert.match((await run(["list", "-d", cache.dir])).stdout.toString(), /Capturing .* not yet +-\n$/);
});

test("no command waits for a long core that a killed handler left, but one that names it", async () => {
  using cache = testCache();
  const left = (id: string) => {
    const core = { ...record(id).core, path: null, sizeBytes: null, complete: null, sha256: null };
    const { id: dir } = cache.put(record(id, { state: "Capturing", core }));
    return join(cache.dir, dir, "core.part");
  };
  const [huge, long] = [left("aaaaaaaaaaaa"), left(ID)];
  for (const part of [huge, long]) writeFileSync(part, readFileSync(CORE));
  truncateSync(huge, 64 * 2 ** 30); // would take half a minute
  truncateSync(long, 65 << 20);
  const { stdout, stderr } = await run(["list", "-d", cache.dir]);
  assert.equal(stdout.toString().match(/Capturing/g)?.length, 2);
  assert.match(stderr, /^note: .*aaaaaaaaaaaa.*: left unfinished by a handler that was killed\. /);
  assert.match((await run(["info", "aaaaaaaaaaaa", "-d", cache.dir])).stdout.toString(), /Capturing/);
  const verified = await run(["verify", ID, "-d", cache.dir]);
  assert.match(verified.stdout.toString(), /^ID .*\n3f9c2a71b0de .* right\n$/);
  assert.ok(existsSync(huge) && !existsSync(long));
});

test("commands over a cache that cannot be written still read it", { skip: needs("root") }, async () => {
  using cache = withCore();
  chmodSync(cache.dir, 0o500);
  assert.equal((await run(["verify", ID, "-d", cache.dir])).code, 0);
});
