import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { DumpError, errnoOf, FAILURES, type FailureCode, reasonOf } from "../../src/domain/failures.ts";

for (const [code, { exitCode }] of Object.entries(FAILURES)) {
  test(`${code} has an exit code that means a failure and is none of the shell's own`, () => {
    // What a shell reports of a writer whose reader went away, and of a program that Ctrl-C ended, whatever killed it.
    const ofShell: Readonly<Record<string, number>> = { OUTPUT_CLOSED: 141, INTERRUPTED: 130 };
    assert.ok(code in ofShell ? exitCode === ofShell[code] : exitCode > 0 && exitCode < 126);
    assert.equal(exitCode === 2, code === "USAGE"); // what scripts take for their own mistake
  });
}

const enoent = (): unknown => {
  try {
    return readFileSync("/nonexistent/core");
  } catch (error) {
    return error;
  }
};

test("DumpError carries code, hint and cause", () => {
  const cause = new Error("inner");
  const error = new DumpError("CACHE_UNUSABLE", 'Cannot keep "x": no room', { cause, hint: "delete some" });
  assert.deepEqual(
    [error.name, error.code, error.hint, error.cause],
    ["DumpError", "CACHE_UNUSABLE", "delete some", cause],
  );
  assert.ok(!("cause" in new DumpError("CACHE_UNUSABLE", "x")));
  assert.ok(FAILURES[error.code satisfies FailureCode].retry);
});

test("errnoOf() knows a failed system call", () => assert.equal(errnoOf(enoent()), "ENOENT"));

for (const error of [null, undefined, 1, "ENOENT", {}, { code: 2 }, { code: "ERR_INVALID_ARG_TYPE" }, { code: "" }]) {
  test(`errnoOf() of ${JSON.stringify(error)} is undefined`, () => assert.equal(errnoOf(error), undefined));
}

test("reasonOf() says a system call's error without call and path", () => {
  assert.equal(reasonOf(enoent()), "ENOENT: no such file or directory");
});

test("reasonOf() leaves other messages as they are", () => {
  assert.equal(reasonOf(new DumpError("DUMP_BUSY", "Cannot open x: busy, wait")), "Cannot open x: busy, wait");
  assert.equal(reasonOf(new Error("a, b")), "a, b");
  assert.equal(reasonOf("just text"), "just text");
});
