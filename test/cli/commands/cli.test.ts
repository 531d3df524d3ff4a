import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { test } from "node:test";
import { VERBS } from "../../../src/cli/commands/cli.ts";
import { exitCodes, report } from "../../../src/cli/commands/failure.ts";
import { DumpError, FAILURES, type FailureCode } from "../../../src/domain/failures.ts";
import { needs } from "../../support/set-up.ts";
import { HOSTILE, RECORDS, testCache } from "./records.ts";
import { run } from "./run.ts";

const wrong = [
  { args: ["--v=1"], says: /No command given/ },
  { args: ["lits"], says: /no such command\nhint: Did you mean list\?/ },
  { args: ["constructor"], says: /no such command/ }, // no property of Object's
  { args: ["list", "--foo"], says: /Unknown argument: foo\nhint: coredump-detector list --help/ },
  { args: ["list", "extra"], says: /Unknown argument: extra/ },
  { args: ["list", "--state", "Great"], says: /Cannot use --state="Great": it is one of "Capturing", / },
  { args: ["list", "--since", "yesterday"], says: /--since=yesterday: not a duration/ },
  { args: ["list", "--v", "loud"], says: /--v=loud: not a whole number/ },
  { args: ["info"], says: /Cannot run info: no id is given/ },
  { args: ["list", "--state"], says: /Cannot use --state without a value/ },
  { args: ["verify"], says: /--all/ },
  { args: ["verify", "--all", "0123"], says: /--all/ },
  { args: ["delete"], says: /--all/ },
  { args: ["delete", "--pod", "x"], says: /--all/ },
  { args: ["delete", "0123", "--pod", "x"], says: /--all goes with filters/ },
];
for (const { args, says } of wrong) {
  test(`runCli() ends with 2 for \`${args.join(" ")}\``, async () => {
    using cache = testCache();
    const dir = args.length > 0 && Object.hasOwn(VERBS, args[0] ?? "") ? ["-d", cache.dir] : [];
    const { code, stdout, stderr } = await run([...args, ...dir]);
    assert.match(stderr, says);
    assert.equal(stdout.length, 0);
    assert.equal(code, 2);
  });
}

test("runCli() --help names every verb and every exit code", async () => {
  const { code, stdout } = await run(["--help"]);
  for (const [verb, load] of Object.entries(VERBS))
    if ((await load()).describe !== false) assert.match(stdout.toString(), new RegExp(`\\b${verb}\\b`));
  const unwrapped = (text: string) => text.replace(/\s+/g, " ");
  assert.ok(unwrapped(stdout.toString()).includes(unwrapped(exitCodes())));
  assert.equal(code, 0);
});

test("exitCodes() names every failure beside its code", () => {
  const table = exitCodes();
  for (const [code, { exitCode }] of Object.entries(FAILURES)) {
    assert.match(table, new RegExp(`^ *${exitCode}  .*\\b${code.toLowerCase().replaceAll("_", " ")}\\b`, "m"));
  }
});

test("report() gives every failure its own exit code, and shows a stack at --v=10 only", (t) => {
  const { mock } = t.mock.method(process.stderr, "write", () => true);
  for (const code of Object.keys(FAILURES) as FailureCode[]) {
    assert.equal(report(new DumpError(code, "Cannot \x1b[31mdo it"), 0), FAILURES[code].exitCode);
  }
  assert.equal(report(Object.assign(new Error("EACCES: permission denied, open '/x'"), { code: "EACCES" }), 0), 77);
  assert.equal(report("a string", 0), 1);
  const written = mock.calls.map(({ arguments: [text] }) => String(text)).join("");
  assert.doesNotMatch(written, /\x1b|\n\s+at /);
  report(new DumpError("UNEXPECTED", "Cannot go on"), 10);
  assert.match(String(mock.calls.at(-1)?.arguments[0]), /\n\s+at /);
});

test("runCli() --version prints a version alone", async () => {
  const { code, stdout } = await run(["--version"]);
  assert.match(stdout.toString(), /^\d+\.\d+\.\d+\S*\n$/);
  assert.equal(code, 0);
});

test("list says that there is nothing on stderr, and prints [] as JSON", async () => {
  using cache = testCache();
  const { code, stdout, stderr } = await run(["list", "-o", "json", "-d", cache.dir]);
  assert.deepEqual([code, stdout.toString(), stderr], [0, "[]\n", `No dumps in ${cache.dir}\n`]);
});

test("list fails with 73 where the named cache does not exist", async () => {
  const { code, stderr } = await run(["list", "--dump-dir=/nonexistent"]);
  assert.match(stderr, /^error: Cannot open the cache \/nonexistent: .*\nhint: .*\n$/);
  assert.equal(code, 73);
});

test("list -o json prints the newest record first, whole", async () => {
  using cache = testCache(RECORDS);
  const { stdout } = await run(["list", "-o", "json", "-d", cache.dir]);
  const printed = JSON.parse(stdout.toString()) as typeof RECORDS;
  assert.deepEqual(new Set(printed.map(({ id }) => id)), new Set(RECORDS.map(({ id }) => id)));
  assert.deepEqual(
    printed.find(({ id }) => id === RECORDS[0]?.id),
    RECORDS[0],
  );
});

test("list lets no escape sequence and no line break of a record through", async () => {
  using cache = testCache([HOSTILE]);
  for (const output of ["table", "wide", "json", "yaml"]) {
    const { stdout } = await run(["list", "-o", output, "-d", cache.dir]);
    assert.doesNotMatch(stdout.toString(), /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
  }
});

test("list into a pipe that is closed ends quietly with 141", async () => {
  using cache = testCache(
    Array.from({ length: 400 }, (_, n) => ({
      ...HOSTILE,
      id: `019e0000-0000-7000-8000-${String(n).padStart(12, "0")}`,
    })),
  );
  const { code, stderr } = await run(["list", "-o", "json", "-d", cache.dir], {
    meddle: (child) => child.stdout.destroy(),
  });
  assert.deepEqual([code, stderr], [141, ""]);
});

test("list is no different under NO_COLOR, and without it no colour goes into a pipe", async () => {
  using cache = testCache(RECORDS);
  const plain = await run(["list", "-d", cache.dir], { env: { NO_COLOR: "1" } });
  assert.doesNotMatch(plain.stdout.toString(), /\x1b/);
});

test("list fails with 77 and says to be root, for anybody else", { skip: needs("root") }, async () => {
  using cache = testCache(RECORDS);
  chmodSync(cache.path(""), 0o755);
  const { code, stderr } = await run(["list", "-d", cache.dir], { uid: 65534 });
  assert.match(stderr, /^error: .*\nhint: .*root.*\n$/);
  assert.equal(code, 77);
});

const ids = [
  { id: "77aa01c2f3b4", code: 0 },
  { id: "77aa01", code: 0 },
  { id: "019e0000-0000-7000-8000-77aa01c2f3b4", code: 0 },
  { id: "ffffffffffff", code: 66 },
  { id: "019e0000", code: 66 }, // all of them
  { id: "\x1b[31m", code: 66 },
];
for (const { id, code } of ids) {
  test(`info ${JSON.stringify(id)} ends with ${code}`, async () => {
    using cache = testCache(RECORDS);
    const ended = await run(["info", id, "-d", cache.dir]);
    assert.equal(ended.code, code);
    assert.doesNotMatch(ended.stderr, /\x1b/);
    if (code === 0) assert.match(ended.stdout.toString(), /^77aa01c2f3b4 .* Captured, incomplete\n {2}What /);
    else assert.match(ended.stderr, /^error: .*\nhint: .*\n$/);
  });
}

test("of a flag given twice the last counts, of --state each", async () => {
  using cache = testCache(RECORDS);
  const states = ["--state", "Refused", "--state", "Lost"];
  const { stdout } = await run(["list", "-o", "yaml", "-o", "json", "-d", "/nonexistent", "-d", cache.dir, ...states]);
  const printed = JSON.parse(stdout.toString()) as typeof RECORDS;
  assert.deepEqual(printed.map(({ state }) => state).sort(), ["Lost", "Refused"]);
});

test("a short id of digits is no number", async () => {
  using cache = testCache(RECORDS);
  assert.equal((await run(["info", "000000000000", "-d", cache.dir])).code, 0);
});

for (const output of ["json", "yaml"]) {
  test(`info -o ${output} prints the record`, async () => {
    using cache = testCache(RECORDS);
    const { stdout } = await run(["info", "3f9c", "-o", output, "-d", cache.dir]);
    const { parse } = await import("yaml");
    assert.deepEqual(parse(stdout.toString()), RECORDS[0]);
  });
}
