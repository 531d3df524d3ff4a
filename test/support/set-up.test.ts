import assert from "node:assert/strict";
import { test } from "node:test";
import { needs } from "./set-up.ts";

/** @param value of the environment's CI while `work` runs */
function withCi<T>(value: string | undefined, work: () => T): T {
  const { CI } = process.env;
  delete process.env["CI"];
  if (value !== undefined) process.env["CI"] = value;
  try {
    return work();
  } finally {
    if (CI === undefined) delete process.env["CI"];
    else process.env["CI"] = CI;
  }
}

test("needs() is false when everything is there", () => {
  assert.equal(needs("command:sh"), false);
});

test("needs() is the reason to skip outside CI", () => {
  const reason = withCi(undefined, () => needs("command:sh", "command:no-such-command"));
  assert.equal(reason, "needs the command no-such-command");
});

test("needs() throws in CI: what was not run has not passed", () => {
  assert.throws(() => withCi("true", () => needs("command:no-such-command")), /Cannot run in CI: needs the command/);
});
