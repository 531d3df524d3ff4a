import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { formerHandler } from "../../src/kernel/former.ts";
import { tempDir } from "../support/tmp.ts";

const cases = [
  {
    on: "a pipe handler",
    text: '{"formerPattern":"|/lib/systemd/systemd-coredump %P"}',
    want: "|/lib/systemd/systemd-coredump %P",
  },
  { on: "a file pattern: nobody to pass on to", text: '{"formerPattern":"core"}', want: undefined },
  { on: "a relative program", text: '{"formerPattern":"|handler"}', want: undefined },
  { on: "no pattern", text: "{}", want: undefined },
  { on: "another type", text: '{"formerPattern":1}', want: undefined },
  { on: "null", text: "null", want: undefined },
  { on: "no JSON", text: "{", want: undefined },
];
for (const { on, text, want } of cases) {
  test(`formerHandler() of ${on}`, () => {
    using dir = tempDir();
    const path = join(dir.path, "install-state.json");
    writeFileSync(path, text);
    assert.equal(formerHandler(path), want);
  });
}

test("formerHandler() of a node on which nothing was installed", () =>
  assert.equal(formerHandler("/nowhere/x"), undefined));
