/** Whatever the pattern and the settings say: no word of theirs costs a core, and policy is carried out as it is written. */
import assert from "node:assert/strict";
import { chmodSync, chownSync, closeSync, existsSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { layoutIn } from "../../../src/node/cache/examine.ts";
import { crashUnder, Handler } from "../../support/faults.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "testbed", "binary");

const PATTERNS: readonly { on: string; args: string; warns?: RegExp; knows?: boolean }[] = [
  { on: "the predecessor's", args: "-P=%P -p=%p -e=%e -t=%t -c=/coredump/config --log_dir=/coredump/" },
  { on: "quoted", args: `-P="%P" -p='%p' -e="%e" -t="%t"` },
  { on: "in the long form", args: "--hostPid=%P --containerPid=%p --filename=%e --time=%t --v=0" },
  { on: "with empty arguments", args: "%Z -P=%P -p=%p -e= -t= -s= -F= %Z" },
  { on: "with unknown arguments", args: "-P=%P -p=%p --colour=red -z x", warns: /argument ignored: "--colour=red"/ },
  { on: "with bad values", args: "-P=%P -p=%h -t=-1 -u=x -F=99 -D=", warns: /--containerPid ignored/ },
  { on: "with the pid alone", args: "-P=%P" },
];

for (const { on, args, warns } of PATTERNS) {
  test(`a pattern ${on} is understood`, { skip }, async () => {
    using handler = new Handler();
    const { pid, signal } = await crashUnder(handler, ["0"], { arguments: args });
    assert.equal(signal, "SIGSEGV");
    const record = await handler.record();
    assert.deepEqual([record.state, record.core.complete, record.owner], ["Captured", true, "host"]);
    assert.deepEqual([record.hostPid, record.containerPid], [pid, pid]);
    assert.deepEqual([record.executable, record.signal?.name, record.processUid], ["crash", "SIGSEGV", 0]);
    if (warns) assert.match(record.warnings.join("\n"), warns);
    else assert.deepEqual(record.warnings, []);
  });
}

test("a pattern without a pid is told to the kernel's log, and the process released", { skip }, async () => {
  using handler = new Handler();
  assert.equal((await crashUnder(handler, ["0"], { arguments: "-p=%p" })).signal, "SIGSEGV");
  await handler.ended();
  assert.equal(existsSync(handler.dumpDir), false);
});

const SETTINGS: readonly { on: string; json: string; spoil?: (path: string) => void; warns: RegExp }[] = [
  { on: "no JSON", json: "{ dump-dir", warns: /settings\.json ignored: / },
  { on: "no object", json: "[1]", warns: /settings\.json ignored: not an object/ },
  { on: "null", json: "null", warns: /settings\.json ignored: not an object/ },
  { on: "empty", json: "", warns: /settings\.json ignored: / },
  {
    on: "other people's to write",
    json: `{"capture":"drain"}`,
    spoil: (path) => chmodSync(path, 0o666),
    warns: /must be a file of root's that no other can write/,
  },
  {
    on: "another user's",
    json: `{"capture":"drain"}`,
    spoil: (path) => chownSync(path, 1000, 0),
    warns: /must be a file of root's that no other can write/,
  },
  {
    on: "of wrong types",
    json: `{"max-dumps":"many","capture":7,"max-dump-size":{},"cache-share":101}`,
    warns: /--capture ignored: "7" is not one of/,
  },
  { on: "of unknown words", json: `{"max-dump":1,"__proto__":1,"hostPid":1}`, warns: /"max-dump" ignored/ },
];

for (const { on, json, spoil, warns } of SETTINGS) {
  test(`settings that are ${on} mean defaults and a warning`, { skip }, async () => {
    using handler = new Handler({ settings: json });
    spoil?.(join(handler.folder.path, "settings.json"));
    await crashUnder(handler, ["0"], { arguments: `-P=%P -p=%p -d=${handler.dumpDir} --host=keep -e=%e` });
    const { core, warnings } = await handler.record();
    assert.deepEqual([core.complete, core.capture], [true, "direct"]);
    assert.match(warnings.join("\n"), warns);
  });
}

test("--host=ignore keeps a host process's record and nothing of its memory or its facts", { skip }, async () => {
  using handler = new Handler({ settings: { host: "ignore" } });
  await crashUnder(handler);
  const { id, state, reason, core } = await handler.record();
  assert.deepEqual([state, reason, core.path], ["Refused", "HostIgnored", null]);
  assert.equal(existsSync(handler.path(id, "facts")), false);
});

for (const [rlimit, want] of [
  ["honour", "Refused OptedOut"],
  ["ignore", "Captured null"],
] as const) {
  test(`--rlimit=${rlimit} and RLIMIT_CORE 0: ${want}`, { skip }, async () => {
    using handler = new Handler({ settings: { rlimit } });
    await crashUnder(handler, ["-l", "0", "0"]);
    const { state, reason, coreLimit } = await handler.record();
    assert.deepEqual([`${state} ${reason}`, coreLimit], [want, "0"]);
  });
}

/** A handler that was there before: it keeps all that it is given. */
const FORMER = `#!/bin/sh
d=\${0%/*}
printf '%s\\n' "$@" > $d/argv
sed -n 's/^Pid:[[:space:]]*//p' /proc/self/fdinfo/3 > $d/pidfd
env > $d/env
exec cat > $d/former.core
`;
const FORMER_ARGUMENTS = "%P:%p:%i:%I %u:%g:%d:%s %t %c %h %e %f %E %F x%%y %Z --%Z=";

test("--host=chain hands the whole crash to the pattern's former owner, as the kernel would have", {
  skip,
}, async () => {
  using handler = new Handler({ settings: { host: "chain" } });
  const former = join(handler.folder.path, "former");
  handler.write("former", FORMER);
  chmodSync(former, 0o700);
  handler.write("install-state.json", JSON.stringify({ formerPattern: `|${former} ${FORMER_ARGUMENTS}` }));
  const before = Math.floor(Date.now() / 1000);
  const { pid, signal } = await crashUnder(handler, ["-n", "a/b c", "-l", "4096", "2"]);
  assert.equal(signal, "SIGSEGV");
  const { state, reason, message, core, exe } = await handler.record();
  assert.deepEqual([state, reason, core.path], ["Refused", "Chained", null]);
  assert.equal(message, `passed on to ${former}`);
  const read = (name: string) => readFileSync(join(handler.folder.path, name), "utf8");
  const [ids, words, time, ...rest] = read("argv").split("\n");
  assert.deepEqual([ids, words], [`${pid}:${pid}:${pid}:${pid}`, "0:0:1:11"]);
  assert.ok(Number(time) >= before && Number(time) <= before + 60, `${time}`);
  assert.deepEqual(rest, ["4096", hostname(), "a!b c", "crash", exe?.replaceAll("/", "!"), "3", "x%y", "", "--=", ""]);
  assert.equal(read("pidfd").trim(), `${pid}`);
  assert.equal(read("env").replaceAll(/^(PWD|OLDPWD|SHLVL|_)=.*\n/gm, ""), "");
  const fd = openSync(join(handler.folder.path, "former.core"), "r");
  assert.equal(layoutIn(fd)?.expectedBytes, BigInt(statSync(join(handler.folder.path, "former.core")).size));
  closeSync(fd);
});

for (const [on, spoil] of [
  ["missing", (former: string) => rmSync(former)],
  ["not executable", (former: string) => chmodSync(former, 0o600)],
] as const) {
  test(`where the pattern's former owner is ${on}, the core is kept here`, { skip }, async () => {
    using handler = new Handler({ settings: { host: "chain" } });
    const former = join(handler.folder.path, "former");
    handler.write("former", "\0");
    spoil(former);
    handler.write("install-state.json", JSON.stringify({ formerPattern: `|${former} %P` }));
    await crashUnder(handler);
    assert.equal((await handler.record()).core.complete, true);
  });
}

test("a former owner that fails is named in the record", { skip }, async () => {
  using handler = new Handler({ settings: { host: "chain" }, formerPattern: "|/bin/false %P" });
  assert.equal((await crashUnder(handler, ["32"])).signal, "SIGSEGV");
  const { state, reason, message } = await handler.record();
  assert.deepEqual([state, reason, message], ["Refused", "Chained", "passed on to /bin/false, which ended with 1"]);
});
