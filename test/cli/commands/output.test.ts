/** What people and machines see of records; `GOLDEN=write` writes the files anew, to be read before they are committed. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { parse } from "yaml";
import { ago, completeness, programName, safeName, signalWords, who } from "../../../src/cli/output/describe.ts";
import { json, yaml } from "../../../src/cli/output/document.ts";
import { render } from "../../../src/cli/output/list.ts";
import { screen } from "../../../src/cli/output/screen.ts";
import { table } from "../../../src/cli/output/table.ts";
import { clip, displayWidth, padEnd } from "../../../src/cli/output/width.ts";
import type { DumpRecord } from "../../../src/domain/dump.ts";
import { printable } from "../../../src/domain/text.ts";
import { HOSTILE, NOW, RECORDS, record, UNKNOWN, UNNAMED } from "./records.ts";

const ALL = [...RECORDS, UNNAMED, HOSTILE];

function golden(name: string, text: string): void {
  const path = join(import.meta.dirname, "fixtures", name);
  if (process.env["GOLDEN"] === "write") writeFileSync(path, text);
  assert.equal(text, readFileSync(path, "utf8"));
}

test("render() prints the table as it was agreed", async () => golden("list.txt", await render(ALL, "table", NOW)));
test("render() prints the wide table as it was agreed", async () => golden("wide.txt", await render(ALL, "wide", NOW)));
const programs = [
  { executable: "nginx", comm: "nginx", want: "nginx" },
  { executable: "nginx", comm: null, want: "nginx" },
  { executable: "redis-check-rdb", comm: "redis-server", want: "redis-check-rdb (redis-server)" },
  { executable: "containerd-shim-runc-v2", comm: "containerd-shim", want: "containerd-shim-runc-v2" }, // the kernel keeps 15 bytes
  { executable: "nginx-debug", comm: "nginx", want: "nginx-debug (nginx)" },
  { executable: "x", comm: "\x1b[31m", want: "x (\\x1b[31m)" },
];
for (const { executable, comm, want } of programs) {
  test(`programName() of ${JSON.stringify([executable, comm])}`, () =>
    assert.equal(programName(executable, comm), want));
}

test("screen() shows a command line in one line, cut and printable", () => {
  const text = screen(record("3f9c2a71b0de"), "", `nginx: worker\x1b ${"x".repeat(9999)}`);
  const line = text.split("\n").find((each) => each.includes("nginx: worker")) ?? "";
  assert.match(line, /^ {12}nginx: worker\\x1b x+…$/);
  assert.ok(line.length < 500);
});

test("screen() prints what it was agreed to print", () =>
  golden("info.txt", ALL.map((each) => screen(each)).join("\n")));

test("render() prints no rows as nothing, [] in JSON and YAML", async () => {
  assert.equal(await render([], "table", NOW), "");
  assert.deepEqual(JSON.parse(await render([], "json", NOW)), []);
  assert.deepEqual(parse(await render([], "yaml", NOW)), []);
});

test("json() and yaml() say the same records back, hostile ones too", async () => {
  assert.deepEqual(JSON.parse(json(ALL)), ALL);
  assert.deepEqual(parse(await yaml(ALL)), ALL);
});

/** Any record at all, as far as its texts go. */
const anyText = fc.oneof(fc.string({ unit: "binary", maxLength: 60 }), fc.string({ unit: "grapheme", maxLength: 20 }));
const anyRecord: fc.Arbitrary<DumpRecord> = fc
  .tuple(anyText, anyText, anyText, fc.option(anyText), fc.constantFrom(...ALL))
  .map(([a, b, c, d, base]) => ({
    ...base,
    executable: a,
    exe: d,
    hostname: b,
    message: d,
    node: c,
    warnings: [a, b],
    threads: [{ tid: 1, name: c, crashed: true }],
    pod: base.pod && { namespace: a, name: b, uid: c },
    container: base.container && { ...base.container, name: d, image: b, imageDigest: a },
    identity: { ...base.identity, problem: d },
  }));

test("nothing that a crashed process chose reaches a terminal raw, whatever the format", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyRecord, { maxLength: 3 }), async (records) => {
      const formats = ["table", "wide", "json", "yaml"].map((format) => render(records, format, NOW));
      for (const text of [...(await Promise.all(formats)), ...records.map((each) => screen(each))]) {
        const lines = text.split("\n").join("");
        assert.equal(lines, printable(lines));
      }
    }),
    { numRuns: 60 },
  );
});

test("nothing unknown is called null or undefined", async () => {
  const texts = [screen(UNKNOWN), await render([UNKNOWN], "table", NOW), await render([UNKNOWN], "wide", NOW)];
  for (const text of texts) assert.doesNotMatch(text, /null|undefined|NaN/);
});

test("screen() makes commands to paste for the cache that was looked into", () => {
  assert.match(screen(record("3f9c2a71b0de"), " -d /x"), /coredump-detector verify 3f9c2a71b0de -d \/x /);
});

const owners: readonly { on: string; change: Partial<DumpRecord>; want: string }[] = [
  { on: "a pod", change: {}, want: "shop/web-0/nginx" },
  { on: "a pod whose container is unknown", change: { container: null }, want: "shop/web-0" },
  {
    on: "a container without a name",
    change: {
      pod: null,
      owner: "container",
      container: { runtime: "unknown", id: "ab".repeat(32), name: null, image: null, imageDigest: null, attempt: null },
    },
    want: "container/abababababab",
  },
  { on: "a host process", change: { pod: null, owner: "host", container: null }, want: "host" },
  {
    on: "a container without an engine's id, by its host name",
    change: {
      ...{ pod: null, owner: "unknown", container: null, hostname: "web\x1b01" },
      identity: {
        source: "none",
        confirmed: false,
        problem: "no engine names its container",
        cgroup: "/lxc.payload.x",
      },
    },
    want: "unknown/web\\x1b01",
  },
  {
    on: "a login of the host, by its unit",
    change: {
      ...{ pod: null, owner: "host", container: null },
      identity: { source: "none", confirmed: false, problem: null, cgroup: "/user.slice/user-0.slice/session-3.scope" },
    },
    want: "host/session-3.scope",
  },
  { on: "nobody knows what", change: { pod: null, owner: "unknown", container: null }, want: "unknown" },
];
for (const { on, change, want } of owners) {
  test(`who() names ${on}`, () => assert.equal(who(record("3f9c2a71b0de", change)), want));
}

test("completeness() tells a capture under way from one that ended without headers", () => {
  const core = { ...record("3f9c2a71b0de").core, complete: null };
  assert.equal(completeness(record("3f9c2a71b0de", { state: "Capturing", core })), "not yet");
  assert.equal(completeness(record("3f9c2a71b0de", { core })), "unknown");
});

test("completeness() says who did not want the dump", () => {
  const refused = record("3f9c2a71b0de", { state: "Refused", reason: "OptedOut", message: "the label says so" });
  assert.equal(completeness(refused), "opted out: the label says so");
});

test("screen() says once what cut a core short", () => {
  const core = { ...record("3f9c2a71b0de").core, complete: false, truncation: "disk-full" as const };
  const text = screen(record("3f9c2a71b0de", { reason: "Truncated", message: "the disk was full", core }));
  assert.equal(text.match(/the disk was full/g)?.length, 1);
});

test("signalWords() leaves out what is not known", () => {
  assert.equal(signalWords({ number: 11, name: "SIGSEGV", code: null, codeText: null, faultAddress: null }), "SIGSEGV");
  assert.equal(signalWords(null), "an unknown signal");
});

test("ago() says when the clock was set back, and never NaN", () => {
  assert.equal(ago("2026-11-21T07:21:03.512Z", NOW), "12s ago");
  assert.equal(ago("2026-11-21T08:21:15.600Z", NOW), "in 1h");
  assert.equal(ago("yesterday", NOW), "unknown");
});

const names = [
  { executable: "nginx", want: "nginx" },
  { executable: "../../etc/passwd", want: "_.._etc_passwd" },
  { executable: "-rf", want: "rf" },
  { executable: "..", want: "unknown" },
  { executable: "a b\n漢", want: "a_b__" },
  { executable: "x".repeat(300), want: "x".repeat(64) },
];
for (const { executable, want } of names) {
  test(`safeName() of ${JSON.stringify(executable.slice(0, 20))}`, () => assert.equal(safeName(executable), want));
}

const widths = [
  { text: "plain", columns: 5 },
  { text: "漢字", columns: 4 },
  { text: "e\u0301", columns: 1 }, // combining
  { text: "👩‍👩‍👧", columns: 2 }, // one grapheme of five code points
  { text: "ｱ", columns: 1 }, // half width
  { text: "", columns: 0 },
];
for (const { text, columns } of widths) {
  test(`displayWidth() of ${JSON.stringify(text)} is ${columns}`, () => assert.equal(displayWidth(text), columns));
}

test("clip() and padEnd() make columns of any text", () => {
  fc.assert(
    fc.property(anyText.map(printable), fc.integer({ min: 1, max: 30 }), (text, columns) => {
      const cell = padEnd(clip(text, columns), columns);
      assert.equal(displayWidth(cell), columns);
    }),
  );
});

test("table() aligns wide characters and cuts blanks at the end of lines", () => {
  const rows = ["漢字", "ab"].map((name) => ({ name }));
  const text = table(
    [
      { title: "N", text: ({ name }) => name },
      { title: "X", text: () => "x" },
    ],
    rows,
  );
  assert.equal(text, "N     X\n漢字  x\nab    x\n");
});
