import assert from "node:assert/strict";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { type HandlerSettings, NODE_OPTIONS } from "../../src/config/options.ts";
import { loadSettings, settingsPath } from "../../src/config/settings.ts";
import { tempDir } from "../support/tmp.ts";

interface Loaded {
  readonly settings: HandlerSettings;
  readonly problems: readonly string[];
}

/** Settings from a file with this text (none when undefined), under these flags. */
function load(text: string | undefined, flags: Record<string, string> = {}, mode = 0o600): Loaded {
  using dir = tempDir();
  const path = join(dir.path, "settings.json");
  if (text !== undefined) {
    writeFileSync(path, text);
    chmodSync(path, mode);
  }
  return loadFrom(path, flags);
}

function loadFrom(path: string, flags: Record<string, string> = {}): Loaded {
  const problems: string[] = [];
  const settings = loadSettings(path, new Map(Object.entries(flags)), (problem) => problems.push(problem));
  return { settings, problems };
}

const DEFAULTS = load(undefined).settings;

test("settingsPath() is beside the binary", () => assert.equal(settingsPath("/coredump/x"), "/coredump/settings.json"));

test("loadSettings() without a file or flags gives the defaults, silently", () => {
  assert.deepEqual(load(undefined).problems, []);
  assert.equal(DEFAULTS.dumpDir, NODE_OPTIONS.dumpDir.default);
  assert.equal(DEFAULTS.maxDumpBytes, 32n << 30n);
  assert.equal(DEFAULTS.cacheBytes, undefined);
});

test("loadSettings() takes a flag before the file, and the file before the default", () => {
  const file = JSON.stringify({ "max-dumps": 4, "log-lines": "7", environ: true });
  const { settings, problems } = load(file, { "max-dumps": "5" });
  assert.deepEqual([settings.maxDumps, settings.logLines, settings.environ], [5, 7, true]);
  assert.deepEqual(problems, []);
});

test("loadSettings() falls back from a bad flag to the file, and from a bad file's value to the default", () => {
  const { settings, problems } = load(JSON.stringify({ "max-dumps": 4, "log-lines": -1 }), { "max-dumps": "0" });
  assert.deepEqual([settings.maxDumps, settings.logLines], [4, 500]);
  assert.deepEqual(problems, [
    '--max-dumps ignored: "0" is not a whole number from 1 on',
    '--log-lines ignored: "-1" is not a whole number',
  ]);
});

test("loadSettings() never takes an empty path: -d= in the pattern means the default", () => {
  assert.equal(load('{"dump-dir":""}', { "dump-dir": "" }).settings.dumpDir, NODE_OPTIONS.dumpDir.default);
});

const bad = [
  { on: "no JSON", text: "{", why: /JSON/ },
  { on: "an empty file", text: "", why: /JSON/ },
  { on: "a list", text: "[]", why: /not an object/ },
  { on: "null", text: "null", why: /not an object/ },
  { on: "a file that others write", text: '{"max-dumps":4}', mode: 0o622, why: /no other can write/ },
  { on: "an unknown name", text: '{"max-dump":4}', why: /"max-dump" ignored/ },
  { on: "a name that is the kernel's alone", text: '{"hostPid":4}', why: /"hostPid" ignored/ },
  { on: "a value of no simple type", text: '{"max-dumps":[4]}', why: /"max-dumps" ignored/ },
];
for (const { on, text, mode, why } of bad) {
  test(`loadSettings() meets ${on} with defaults and one complaint`, () => {
    const { settings, problems } = load(text, {}, mode);
    assert.deepEqual(settings, DEFAULTS);
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? "", why);
  });
}

test("loadSettings() follows no link and reads no directory", () => {
  using dir = tempDir();
  const [target, link, folder] = ["target.json", "link.json", "folder"].map((name) => join(dir.path, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(target, '{"max-dumps":4}', { mode: 0o600 });
  symlinkSync(target, link);
  mkdirSync(folder);
  assert.equal(loadFrom(target).settings.maxDumps, 4);
  for (const path of [link, folder]) {
    const { settings, problems } = loadFrom(path);
    assert.deepEqual([settings.maxDumps, problems.length], [16, 1]);
  }
});

test("loadSettings() gives settings for any JSON, and complains in short lines", () => {
  const name = fc.oneof(fc.constantFrom("dump-dir", "max-dumps", "cache-size", "__proto__", "environ"), fc.string());
  fc.assert(
    fc.property(fc.dictionary(name, fc.jsonValue({ maxDepth: 1 })), (json) => {
      const { settings, problems } = load(JSON.stringify(json));
      for (const key of Object.keys(DEFAULTS) as (keyof HandlerSettings)[])
        assert.ok(settings[key] !== undefined || DEFAULTS[key] === undefined, key);
      assert.ok(problems.every((problem) => problem.length < 700));
    }),
    { numRuns: 50 },
  );
});
