import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ptraceForbidden, refusedRead } from "../../src/system/ptrace.ts";
import { tempDir } from "../support/tmp.ts";

const EACCES = Object.assign(new Error("EACCES"), { code: "EACCES" });

for (const [scope, word] of [
  ["3\n", /ptrace_scope is 3/],
  ["2\n", undefined],
  [undefined, undefined],
] as const) {
  test(`with ptrace_scope ${JSON.stringify(scope)} the setting is ${word ? "named" : "not blamed"}`, () => {
    using dir = tempDir();
    mkdirSync(join(dir.path, "kernel/yama"), { recursive: true });
    if (scope !== undefined) writeFileSync(join(dir.path, "kernel/yama/ptrace_scope"), scope);
    const found = ptraceForbidden(dir.path);
    if (word) assert.match(found ?? "", word);
    else assert.equal(found, undefined);
    assert.match(refusedRead(EACCES, dir.path) ?? "", word ?? /security module/);
  });
}

test("refusedRead() says nothing of other failures", () => {
  assert.equal(refusedRead(new Error("x")), undefined);
  assert.equal(refusedRead(Object.assign(new Error("x"), { code: "EIO" })), undefined);
});
