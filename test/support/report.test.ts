import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, test } from "node:test";
import { Report } from "./report.ts";
import { tempDir } from "./tmp.ts";

const IMPORTS = `import { describe, test } from "node:test";\n`;
const cases = [
  {
    on: "passes, also in a suite",
    file: `test("a", () => {}); describe("s", () => { test("b", () => {}); });`,
    want: "2 passed, 0 failed",
  },
  { on: "a failure", file: `test("a", () => { throw new Error("no"); });`, want: "0 passed, 1 failed" },
  {
    on: "a skip with its reason",
    file: `test("a", { skip: "needs root" }, () => {}); test("b", () => {});`,
    want: "1 passed, 0 failed, 1 skipped",
  },
  {
    on: "a suite that is skipped",
    file: `describe("s", { skip: "needs root" }, () => { test("b", () => {}); });`,
    want: "0 passed, 0 failed, 1 skipped",
  },
  { on: "a file that throws", file: `test("a", () => {}); throw new Error("import");`, want: "0 passed, 1 failed" },
  {
    on: "a file that dies after its tests",
    file: `test("a", () => {}); process.on("exit", () => process.exit(9));`,
    want: "1 passed, 1 failed",
  },
  { on: "a file without a test", file: "", want: "0 passed, 1 failed" },
  {
    on: "a test without end",
    file: `test("a", { timeout: 10 }, () => new Promise(() => {}));`,
    want: "0 passed, 1 failed",
  },
];
for (const { on, file, want } of cases) {
  test(`Report.follow() counts ${on}`, async (t) => {
    using folder = tempDir();
    const path = join(folder.path, "x.test.mjs");
    writeFileSync(path, IMPORTS + file);
    t.mock.method(console, "log", () => {});
    const report = new Report();
    const context = process.env["NODE_TEST_CONTEXT"];
    delete process.env["NODE_TEST_CONTEXT"]; // else a run within a test runs nothing
    await report.follow([path], run({ files: [path], cwd: folder.path }));
    if (context !== undefined) process.env["NODE_TEST_CONTEXT"] = context;
    assert.equal(report.summary(), want);
  });
}

test("Report.check() counts a problem, and a throw, as a failure", async (t) => {
  t.mock.method(console, "log", () => {});
  const report = new Report();
  await report.check("fine", async () => undefined);
  await report.check("bad", async () => "a problem");
  await report.check("worse", () => Promise.reject(new Error("no such command")));
  assert.equal(report.summary(), "1 passed, 2 failed");
});

const elsewhere = [
  { on: "its counts", output: "ok x\n2 passed, 0 failed, 1 skipped\n", end: 0, want: "2 passed, 0 failed, 1 skipped" },
  { on: "its failures", output: "2 passed, 3 failed\n", end: 1, want: "2 passed, 3 failed" },
  { on: "one that did not come to its summary", output: "panic\n", end: 125, want: "0 passed, 1 failed" },
  { on: "one that ran no test", output: "0 passed, 0 failed\n", end: 0, want: "0 passed, 1 failed" },
  { on: "one that died after its summary", output: "2 passed, 0 failed\n", end: "SIGKILL", want: "2 passed, 1 failed" },
];
for (const { on, output, end, want } of elsewhere) {
  test(`Report.nested() takes over ${on}`, (t) => {
    t.mock.method(console, "log", () => {});
    const report = new Report();
    report.nested("elsewhere", { output, end });
    assert.equal(report.summary(), want);
  });
}
