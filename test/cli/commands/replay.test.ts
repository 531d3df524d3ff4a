/** Recorded crashes go through the whole pipeline, and each record says what happened. */
import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { DumpError } from "../../../src/domain/failures.ts";
import { fixturesIn, readFixture } from "../../../src/roles/fixture.ts";
import { replay } from "../../../src/roles/handler/replay.ts";
import { ROOT } from "../../support/paths.ts";
import { tempDir } from "../../support/tmp.ts";
import { run } from "./run.ts";

const FIXTURES = join(ROOT, "fixtures");
const NAMES = fixturesIn(FIXTURES);
const CONTAINERD_POD = join(FIXTURES, "containerd-pod");
const expected = (name: string) => JSON.parse(readFileSync(join(FIXTURES, name, "expect.json"), "utf8"));

test("fixtures/ has the crashes that matter", () => {
  assert.partialDeepStrictEqual(new Set(NAMES), new Set(["containerd-pod", "docker", "host", "hostile", "set-uid"]));
});

for (const name of NAMES) {
  test(`replay() says of ${name} what happened`, async () => {
    using dir = tempDir();
    const record = await replay(readFixture(join(FIXTURES, name)), dir.path);
    assert.partialDeepStrictEqual(JSON.parse(JSON.stringify(record)), expected(name));
    assert.deepEqual(record.warnings, [`a recorded crash, replayed from ${name}`]);
    assert.equal(record.core.path !== null, existsSync(join(dir.path, record.id, "core")));
  });
}

test("replay() is of the crash's time and of no one's waiting", async () => {
  using dir = tempDir();
  const fixture = readFixture(CONTAINERD_POD);
  const record = await replay(fixture, dir.path);
  assert.equal(Date.parse(record.dumptime) / 1000, fixture.kernelCall.call.time);
  assert.equal(record.heldMs, null);
  assert.ok(record.uptimeMs !== null && record.uptimeMs < 10_000, `${record.uptimeMs}`);
});

test("replay() keeps the container's own log and documents, and no arguments of one that opted out", async () => {
  using dir = tempDir();
  const kept = await replay(readFixture(CONTAINERD_POD), dir.path);
  assert.match(readFileSync(join(dir.path, kept.id, "logs/log.txt"), "utf8"), /serving on :8080/);
  assert.deepEqual(
    readdirSync(join(dir.path, kept.id)).filter((name) => name.endsWith(".json")),
    ["container.json", "crash.json", "image.json", "pod.json", "record.json"],
  );
  const dropped = await replay(readFixture(join(FIXTURES, "opted-out")), dir.path);
  assert.equal(existsSync(join(dir.path, dropped.id, "facts")), false);
});

test("replay prints list and info, as a user who is not root, into a directory of its own", async (t) => {
  if (process.getuid?.() === 0 && !reachableByAll(ROOT)) return t.skip("the checkout is root's alone");
  using tmp = tempDir();
  const nobody = process.getuid?.() === 0 ? 65534 : undefined;
  if (nobody !== undefined) chownSync(tmp.path, nobody, nobody);
  const how = { env: { TMPDIR: tmp.path, NO_COLOR: "1" }, ...(nobody !== undefined && { uid: nobody }) };
  const { code, stdout, stderr } = await run(["replay", "containerd-pod"], how);
  assert.equal(code, 0, stderr);
  const dir = /^Replayed containerd-pod into (\S+)\n$/.exec(stderr)?.[1] ?? "";
  assert.equal(dirname(dir), tmp.path);
  assert.equal(statSync(dir).mode & 0o777, 0o700);
  assert.match(
    `${stdout}`,
    /^ID +STATE .*\n[0-9a-f]{12} +Captured +.* shop\/web-0\/nginx +crash +SIGSEGV .* yes +SIGSEGV at 0xdead in .*\n\n/,
  );
  assert.match(`${stdout}`, /Where +namespace shop, pod web-0, container nginx \(attempt 4\), node node-1\n/);
  const verify = /coredump-detector (verify .*?) {2}/.exec(`${stdout}`)?.[1]?.trim().split(" ") ?? [];
  assert.equal((await run(verify, how)).code, 0, "what `Next` says can be pasted");
});

test("replay -d makes the directory, 0700, and -o json gives the record", async () => {
  using tmp = tempDir();
  const dir = join(tmp.path, "new/cache");
  const { code, stdout } = await run(["replay", CONTAINERD_POD, "-d", dir, "-o", "json"]);
  assert.equal(code, 0);
  assert.partialDeepStrictEqual(JSON.parse(`${stdout}`), expected("containerd-pod"));
  assert.equal(statSync(dir).mode & 0o777, 0o700);
});

test("replay names the fixtures there are, when there is none of that name", async () => {
  const { code, stdout, stderr } = await run(["replay", "no-such"]);
  assert.equal(code, 66);
  assert.equal(`${stdout}`, "");
  assert.match(stderr, /^error: Cannot replay "no-such": there is no such fixture\nhint: there are .*containerd-pod, /);
});

test("replay makes nothing of a name that is not a fixture: what it would have made is not left behind", async () => {
  using tmp = tempDir();
  const { code } = await run(["replay", "no-such", "-d", join(tmp.path, "dumps")]);
  assert.equal(code, 66);
  assert.equal(existsSync(join(tmp.path, "dumps")), false);
});

const BROKEN: readonly { on: string; file: string; content: string | undefined; says: RegExp }[] = [
  { on: "no JSON", file: "call.json", content: "{", says: /call\.json: / },
  { on: "no pid", file: "call.json", content: '{"node":"n","arguments":["-e=x"]}', says: /names no pid/ },
  { on: "arguments of another kind", file: "call.json", content: '{"arguments":7}', says: /names no pid/ },
  { on: "an answer that is none", file: "api.json", content: "[null]", says: /api\.json is not a list/ },
  { on: "no core", file: "core.zst", content: undefined, says: /no such file/ },
  { on: "a core that is not zstd", file: "core.zst", content: "plain", says: /Cannot replay .*/ },
];
for (const { on, file, content, says } of BROKEN) {
  test(`replay refuses a fixture with ${on}`, async () => {
    using tmp = tempDir();
    const dir = join(tmp.path, "fixture");
    cpSync(CONTAINERD_POD, dir, { recursive: true, verbatimSymlinks: true });
    if (content === undefined) rmSync(join(dir, file));
    else writeFileSync(join(dir, file), content);
    const dumps = join(tmp.path, "dumps");
    const act = async () => replay(readFixture(dir), dumps);
    await assert.rejects(
      act,
      (error) => error instanceof DumpError && error.code === "CORE_UNREADABLE" && says.test(error.message),
    );
    assert.deepEqual(existsSync(dumps) ? readdirSync(dumps) : [], []);
  });
}

test("replay() captures what is left of a fixture: without /proc, state and answers the owner is unknown, and why is said", async () => {
  using tmp = tempDir();
  const dir = join(tmp.path, "fixture");
  cpSync(CONTAINERD_POD, dir, { recursive: true, verbatimSymlinks: true });
  for (const part of ["proc", "state", "api.json", "log.txt"]) rmSync(join(dir, part), { recursive: true });
  const record = await replay(readFixture(dir), join(tmp.path, "dumps"));
  const { core } = expected("containerd-pod");
  assert.partialDeepStrictEqual(record, { state: "Captured", owner: "unknown", uptimeMs: null, hostname: null, core });
  assert.match(record.identity.problem ?? "", /process is gone/);
});

test("readFixture() reads any JSON or says what is wrong", () => {
  using tmp = tempDir();
  fc.assert(
    fc.property(fc.json(), fc.json(), (call, api) => {
      writeFileSync(join(tmp.path, "call.json"), call);
      writeFileSync(join(tmp.path, "api.json"), api);
      try {
        readFixture(tmp.path);
      } catch (error) {
        assert.ok(error instanceof DumpError, `${error}`);
      }
    }),
  );
});

test("replay() says when it cannot keep a dump where it should", async () => {
  using tmp = tempDir();
  const dumps = join(tmp.path, "dumps");
  writeFileSync(dumps, "a file, not a directory");
  chmodSync(dumps, 0o600);
  await assert.rejects(replay(readFixture(CONTAINERD_POD), dumps), { code: "CACHE_UNUSABLE" });
});

function reachableByAll(path: string): boolean {
  if ((statSync(path).mode & 0o005) !== 0o005) return false;
  return path === "/" || reachableByAll(dirname(path));
}
