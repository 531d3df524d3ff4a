/** Crashed processes that are gone, have hostile names, or must not be read; clocks, upgrades and crashes of our own. */
import assert from "node:assert/strict";
import { copyFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { crash, crashUnder, Handler } from "../../support/faults.ts";
import { BINARY, program } from "../../support/paths.ts";
import { holdPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";

const skip = needs("root", "testbed", "binary");

/** The handler comes when all is over, as it may with core_pipe_limit 0: whole stream saved, process gone. */
const TOO_LATE = `pid=$(printf '%s\\n' "$@" | sed -n 's/^-P=//p') stream=$(dirname "$0")/stream
cat > "$stream"
while [ -e /proc/$pid ]; do sleep 0.02; done
exec < "$stream"`;

test("with core_pipe_limit 0 and the process gone, the core is whole and names what the kernel said", {
  skip,
}, async () => {
  using handler = new Handler({ wrap: { shell: TOO_LATE } });
  const { pid, signal } = await crashUnder(handler, ["-n", "a name", "0"], { limit: 0 });
  assert.equal(signal, "SIGSEGV");
  const record = await handler.record();
  assert.equal(record.core.complete, true);
  assert.deepEqual([record.hostPid, record.executable, record.threadName, record.exe], [pid, "a name", "a name", null]);
  assert.deepEqual([record.signal?.name, record.threadCount, record.processUid], ["SIGSEGV", 1, 0]);
  assert.equal(record.owner, "unknown");
  assert.match(record.identity.problem ?? "", /the process is gone/);
});

test("with core_pipe_limit 0 a handler that is quick enough has all the facts", { skip }, async () => {
  using handler = new Handler();
  await crashUnder(handler, ["8"], { limit: 0 });
  const { core, owner, exe } = await handler.record();
  assert.deepEqual([core.complete, owner], [true, "host"]);
  assert.match(exe ?? "", /\/crash$/);
});

const NAMES: readonly {
  on: string;
  folder: string;
  file: string;
  comm: string;
  want: { executable: string; exe: RegExp; comm: string };
}[] = [
  {
    on: "with quotes, a line end and an escape",
    folder: "x",
    file: "crash",
    comm: 'a b"\n\x1b[31m',
    want: { executable: "crash", exe: /\/x\/crash$/, comm: 'a b"\n\x1b[31m' },
  },
  {
    on: "that look like paths and options",
    folder: "..! -c=etc",
    file: "-rf ..!..!x",
    comm: "-P=1 ../..",
    want: { executable: "-rf ..!..!x", exe: /\/\.\.! -c=etc\/-rf \.\.!\.\.!x$/, comm: "-P=1 ../.." },
  },
  {
    on: "that are no UTF-8",
    folder: "a\\377b\\nc",
    file: "\\303\\050\\033[31m",
    comm: "caf\u00e9 \u202e",
    want: { executable: "\\xc3(\x1b[31m", exe: /\/a\\xffb\nc\/\\xc3\(\x1b\[31m$/, comm: "caf\u00e9 \u202e" },
  },
  {
    on: "that end as the kernel's mark does",
    folder: "x",
    file: "crash (deleted)",
    comm: "",
    want: { executable: "crash", exe: /\/crash$/, comm: "crash (deleted)" },
  },
];

for (const { on, folder, file, comm, want } of NAMES) {
  test(`names ${on} are kept as text, and harm no terminal`, { skip }, async () => {
    using scratch = tempDir();
    using handler = new Handler();
    // Names of any bytes: only printf makes them.
    const make = `cd ${scratch.path} && d=$(printf '${folder}') f=$(printf -- '${file}') && mkdir -- "./$d" && cp ${program("crash")} "./$d/$f" && exec "./$d/$f" "$@" 0`;
    const { signal } = await crashUnder(handler, ["-c", make, "sh", ...(comm ? ["-n", comm] : [])], {
      command: "/bin/sh",
    });
    assert.equal(signal, "SIGSEGV");
    const { executable, exe, comm: kept, core } = await handler.record();
    assert.equal(core.complete, true);
    assert.deepEqual([executable, kept], [want.executable, want.comm]);
    assert.match(exe ?? "", want.exe);
    for (const args of [["list"], ["list", "-o", "wide"], ["info", (await handler.record()).id]]) {
      const { stdout, status } = handler.command(...args);
      assert.equal(status, 0);
      assert.doesNotMatch(stdout, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ufffd]/);
      if (args[0] === "list") assert.equal(stdout.trimEnd().split("\n").length, 2);
    }
  });
}

const ALL = "-P=%P -p=%p -e=%e -t=%t -s=%s -T=%I -u=%u -g=%g -D=%d -l=%c -F=%F";
for (const [on, kernelArguments] of [
  ["says (%d)", ALL],
  ["does not say, and /proc does", ALL.replace(" -D=%d", "")],
  ["denies, and /proc does not", ALL.replace("-D=%d", "-D=1")], // as it may look after the pid was reused
] as const) {
  test(`a process that is not dumpable, as the kernel ${on}, is Restricted`, { skip }, async () => {
    using handler = new Handler();
    await crashUnder(handler, ["-u", "1000", "0"], { suidDumpable: 2, arguments: kernelArguments });
    const { state, reason, core, dumpable, processUid } = await handler.record();
    assert.deepEqual(
      [state, reason, core.complete, dumpable, processUid],
      ["Restricted", "NotDumpable", true, 2, 1000],
    );
  });
}

test("a process in user and host-name namespaces of its own keeps its names apart from the host's", {
  skip,
}, async () => {
  using handler = new Handler();
  const inside = `hostname inside && exec ${program("crash")} 0`;
  await crashUnder(handler, ["--user", "--map-root-user", "--uts", "sh", "-c", inside], {
    command: "/usr/bin/unshare",
  });
  const { core, owner, hostname, processUid, state, node } = await handler.record();
  assert.deepEqual([state, core.complete, core.capture, owner], ["Captured", true, "direct", "host"]);
  assert.deepEqual([hostname, processUid], ["inside", 0]);
  assert.notEqual(node, "inside");
});

for (const [time, want] of [
  ["1", /^1970-01-01T00:00:01/],
  ["99999999999", /^5138-11-16/],
  ["999999999999999", /^20/], // no calendar reaches that far: our own clock counts
  ["0", /^1970/],
  ["", /^20/],
] as const) {
  test(`a clock that says ${time || "nothing"} does not cost the core`, { skip }, async () => {
    const shell = `for each; do shift; case $each in -t=*) each=-t=${time};; esac; set -- "$@" "$each"; done`;
    using handler = new Handler({ wrap: { shell } });
    await crashUnder(handler);
    const { core, dumptime } = await handler.record();
    assert.equal(core.complete, true);
    assert.match(dumptime, want);
  });
}

test("an upgrade while a handler runs leaves that one whole", { skip }, async () => {
  using handler = new Handler({ settings: { capture: "drain" } });
  {
    await using _held = await holdPattern(handler.pattern());
    const crashed = crash(program("crash"), "64");
    const pid = await handler.stopInTheMiddle();
    copyFileSync(BINARY, join(handler.folder.path, "new"));
    renameSync(join(handler.folder.path, "new"), handler.binary);
    process.kill(pid, "SIGCONT");
    await crashed;
    while (handler.isAlive(pid)) await sleep(10);
    await crash(program("crash"), "0");
  }
  const records = await handler.records();
  assert.deepEqual(
    records.map(({ core }) => core.complete),
    [true, true],
  );
});

test("a crash of the handler itself is not dumped: it does not recurse", { skip }, async () => {
  using handler = new Handler();
  {
    await using _held = await holdPattern(handler.pattern());
    const crashed = crash(program("crash"), "64");
    const pid = await handler.stopInTheMiddle();
    process.kill(pid, "SIGSEGV");
    process.kill(pid, "SIGCONT");
    assert.equal((await crashed).signal, "SIGSEGV");
    while (handler.isAlive(pid)) await sleep(10);
  }
  const { executable, core } = await handler.record();
  assert.deepEqual([executable, core.truncation], ["crash", "handler-killed"]);
});
