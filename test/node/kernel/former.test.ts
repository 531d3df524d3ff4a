import assert from "node:assert/strict";
import { chmodSync, chownSync, renameSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readState } from "../../../src/node/install/state.ts";
import { formerHandler } from "../../../src/node/kernel/former.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";

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

const untrusted: readonly { on: string; spoil(path: string): void }[] = [
  { on: "a file that others can write", spoil: (path) => chmodSync(path, 0o666) },
  { on: "a file that a group can write", spoil: (path) => chmodSync(path, 0o664) },
  { on: "another user's file", spoil: (path) => chownSync(path, 12345, 0) },
  {
    on: "a link to a good one",
    spoil(path) {
      renameSync(path, `${path}.good`);
      symlinkSync(`${path}.good`, path);
    },
  },
  { on: "a file beyond all bounds", spoil: (path) => truncateSync(path, 1 << 30) },
];
for (const { on, spoil } of untrusted) {
  test(`formerHandler() runs nothing that ${on} names: it would be run as root`, { skip: needs("root") }, () => {
    using dir = tempDir();
    const path = join(dir.path, "install-state.json");
    const state = { formerPattern: "|/bin/evil", formerPipeLimit: 0, formerSuidDumpable: 0, savedAt: "x" };
    writeFileSync(path, JSON.stringify(state));
    assert.deepEqual([formerHandler(path), readState(path)?.formerPattern], ["|/bin/evil", "|/bin/evil"]);
    spoil(path);
    assert.deepEqual([formerHandler(path), readState(path)], [undefined, undefined]);
  });
}

test("formerHandler() of a node on which nothing was installed", () =>
  assert.equal(formerHandler("/nowhere/x"), undefined));
