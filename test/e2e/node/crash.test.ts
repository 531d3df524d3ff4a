/** The stack in a record: the same wherever a program crashes, also where nothing else of the dump is kept. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readFileSync, truncateSync } from "node:fs";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Crash, frameName } from "../../../src/domain/crash.ts";
import { captured } from "../../support/captured.ts";
import { startEngine } from "../../support/engines.ts";
import { compiled, crash, Handler, start } from "../../support/faults.ts";
import { program } from "../../support/paths.ts";
import { holdPattern } from "../../support/pattern.ts";
import { peakMib } from "../../support/peak.ts";
import { needs } from "../../support/set-up.ts";
import { stopProcess } from "../../support/stop.ts";
import { tempDir } from "../../support/tmp.ts";

const skip = needs("root", "testbed", "binary", "command:gcc");
const scratch = tempDir();
after(() => scratch[Symbol.dispose]());

const names = (read: Crash | null) => read?.stack.map((frame) => frameName(frame, read)) ?? [];
const states = (read: Crash | null) =>
  Object.fromEntries(read?.modules.map(({ path, state }) => [basename(path), state]) ?? []);
/** What two stacks of one program must share: all but addresses. */
const signature = (read: Crash | null) =>
  read?.stack.map(({ function: name, module, offset, trust }) => {
    return [name, offset, trust, basename(read.modules[module ?? -1]?.path ?? "").replace(/ \(deleted\)$/, "")].join(
      " ",
    );
  });

const IN_MAIN = ["inner", "middle", "outer", "main"];

/** @param args of test/support/stack.c */
async function crashed(args: readonly string[], settings = {}, command = compiled("stack")) {
  using handler = new Handler({ settings });
  await using _held = await holdPattern(handler.pattern());
  const { signal } = await crash(command, ...args);
  assert.equal(signal, "SIGSEGV");
  return await handler.record();
}

test("a program has the same stack on the host, in containers and in namespaces of its own", { skip }, async () => {
  await using engine = await startEngine("containerd-2");
  const glibc = {
    "/lib64": "/lib64",
    "/lib/x86_64-linux-gnu": "/usr/lib/x86_64-linux-gnu",
    "/host": join(compiled("stack"), ".."),
  };
  const inContainer = async (...command: string[]) => {
    using one = await captured(
      () => engine.run({ command, mounts: glibc, pod: `p${Math.random()}` }),
      [`--cri-endpoint=${engine.socket}`],
    );
    assert.equal(one.record.core.capture, "direct", one.record.warnings.join());
    return one.record.crash;
  };
  const script = (text: string) => ["/bin/sh", "-c", text];
  const host = (await crashed(["plain"])).crash;
  assert.deepEqual(names(host).slice(0, 4), IN_MAIN);
  const unshared = [
    "--mount",
    "sh",
    "-c",
    `mount -t tmpfs none /mnt && cp ${compiled("stack")} /mnt && exec /mnt/stack`,
  ];
  const others = {
    "mounted from the host": await inContainer("/host/stack", "plain"),
    "on the container's overlay": await inContainer(...script("cp /host/stack /tmp/ && exec /tmp/stack plain")),
    "deleted meanwhile": await inContainer(...script("cp /host/stack /tmp/ && exec /tmp/stack unlink /tmp/stack")),
    "another mount namespace": (await crashed(unshared, {}, "/usr/bin/unshare")).crash,
  };
  for (const [where, read] of Object.entries(others)) {
    assert.deepEqual(signature(read), signature(host), where);
    assert.equal(read?.fingerprint, host?.fingerprint, where);
  }
  const statics = [(await crashed(["0"], {}, program("crash"))).crash, await inContainer("/bin/crash", "0")];
  assert.deepEqual(names(statics[0] ?? null).slice(0, 2), ["crash_here", "end"]);
  assert.deepEqual(signature(statics[0] ?? null), signature(statics[1] ?? null));
});

test("a thread whose leader has ended has its stack", { skip }, async () => {
  const { crash: read } = await crashed(["-x", "0"], {}, program("crash-dynamic"));
  assert.deepEqual(names(read).slice(0, 3), ["crash_here", "end", "worker"]);
  assert.equal(read?.threads.length ?? 0, 0);
});

test("a dump that is refused because it is too big has its stack", { skip }, async () => {
  const record = await crashed(["plain"], { "max-dump-size": "1" });
  assert.deepEqual([record.state, record.reason], ["Refused", "TooBig"]);
  assert.deepEqual(names(record.crash).slice(0, 4), IN_MAIN);
});

test("a dump that is cut short has its stack", { skip }, async () => {
  using handler = new Handler({ settings: { capture: "drain" } });
  await using _held = await holdPattern(handler.pattern());
  const victim = start(program("crash-dynamic"), "256");
  const pid = await handler.stopInTheMiddle();
  process.kill(victim.pid, "SIGKILL");
  process.kill(pid, "SIGCONT");
  await victim.ended;
  const { core, crash: read } = await handler.record();
  assert.equal(core.truncation, "source-cut-short");
  assert.deepEqual(names(read).slice(0, 3), ["crash_here", "end", "main"]);
});

test("a dump whose handler was killed has a stack, from the core alone", { skip }, async () => {
  using handler = new Handler({ wrap: { fault: "fsync:1:KILL" } });
  await using _held = await holdPattern(handler.pattern());
  await crash(compiled("stack"), "plain");
  handler.wrap();
  const { state, crash: read, warnings } = await handler.record();
  assert.equal(state, "Captured", warnings.join());
  assert.ok((read?.stack.length ?? 0) > 0, warnings.join());
});

test("the handler takes at most 110 MiB for a small program, the reading of its stack included", { skip }, async () => {
  using handler = new Handler();
  await using _held = await holdPattern(handler.pattern());
  const mib = await peakMib(handler, () => crash(compiled("stack"), "plain"));
  assert.ok(mib > 0 && mib <= 110, `${mib} MiB`);
});

test("a program with 65,000 mappings is copied from memory, has its stack, and takes the handler at most 120 MiB", {
  skip,
}, async () => {
  using handler = new Handler();
  await using _held = await holdPattern(handler.pattern());
  const mib = await peakMib(handler, () => crash(compiled("memory"), "mappings", "32600"));
  assert.ok(mib > 0 && mib <= 120, `${mib} MiB`);
  const { core, crash: read, warnings } = await handler.record();
  assert.deepEqual([core.capture, core.complete, warnings], ["direct", true, []]);
  assert.equal(names(read)[0], "main");
});

test("--crash off reads nothing", { skip }, async () => {
  const record = await crashed(["plain"], { crash: "off" });
  assert.deepEqual([record.crash, record.warnings], [null, []]);
});

/** @returns a folder with so many libraries */
function libraries(count: number): string {
  const folder = join(scratch.path, `libraries-${count}`);
  mkdirSync(folder);
  for (let n = 0; n < count; n++) {
    const path = join(folder, `${n}.so`);
    if (n === 0)
      execFileSync("gcc", ["-shared", "-fPIC", "-x", "c", "-o", path, "-"], {
        input: "int data[1 << 14] = {1}; int f(void) { return data[3]; }",
      });
    else copyFileSync(join(folder, "0.so"), path);
  }
  return folder;
}

test("a program with 45 libraries of its own has its stack", { skip }, async () => {
  const folder = libraries(45);
  const record = await crashed(["libraries", folder, "45"]);
  const whole = record.crash;
  assert.deepEqual(names(whole).slice(0, 4), IN_MAIN);
  assert.deepEqual(record.warnings, []);
});

test("a program that maps a sparse library of 2 GiB has its stack, and costs the handler no more", {
  skip,
}, async () => {
  const huge = join(scratch.path, "huge.so");
  copyFileSync(join(libraries(1), "0.so"), huge);
  truncateSync(huge, 2 ** 31);
  using handler = new Handler();
  await using _held = await holdPattern(handler.pattern());
  const mib = await peakMib(handler, () => crash(compiled("stack"), "code", huge));
  assert.ok(mib > 0 && mib <= 110, `${mib} MiB`);
  assert.deepEqual(names((await handler.record()).crash).slice(0, 4), IN_MAIN);
});

/** Mounts what a FUSE server has, or an overlay over it. @returns where */
function mounted(place: string, overlay: boolean): { readonly path: string } & Disposable {
  const [fuse, path] = [join(place, "fuse"), join(place, overlay ? "overlay" : "fuse")];
  for (const name of ["fuse", "overlay", "upper", "work"]) mkdirSync(join(place, name), { recursive: true });
  const options = `lowerdir=${fuse},upperdir=${join(place, "upper")},workdir=${join(place, "work")}`;
  if (overlay) execFileSync("mount", ["-t", "overlay", "none", "-o", options, path]);
  return { path, [Symbol.dispose]: () => void (overlay && execFileSync("umount", ["--lazy", path])) };
}

const ON_A_SERVER = [
  { name: "program", overlay: false, stopped: true },
  { name: "program (deleted)", overlay: false, stopped: true },
  { name: "program", overlay: true, stopped: true },
  { name: "program", overlay: false, stopped: false },
  { name: "program", overlay: true, stopped: false },
];
for (const [n, { name, overlay, stopped }] of ON_A_SERVER.entries()) {
  const where = `${name}, on ${overlay ? "an overlay over " : ""}a file system whose server ${stopped ? "does not answer" : "answers"}`;
  test(`${where}: nobody is held, and its files are ${stopped ? "not opened" : "read"}`, { skip }, async () => {
    const place = join(scratch.path, `fuse-${n}`);
    mkdirSync(join(place, "fuse"), { recursive: true });
    const server = spawn(compiled("fuse"), [join(place, "fuse"), compiled("stack")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(server.stdout, "data");
    try {
      using mount = mounted(place, overlay);
      using handler = new Handler();
      await using _held = await holdPattern(handler.pattern());
      const victim = spawn(join(mount.path, name), ["wait"], { stdio: ["pipe", "pipe", "inherit"] });
      const ended = once(victim, "exit");
      await once(victim.stdout, "data");
      if (stopped && server.pid !== undefined) stopProcess(server.pid);
      const from = performance.now();
      victim.stdin.end("\n");
      const end = await Promise.race([ended, sleep(10_000)]);
      await handler.ended(10_000).finally(() => server.kill("SIGCONT"));
      assert.deepEqual(end, [null, "SIGSEGV"], `${performance.now() - from} ms`);
      const { crash: read, warnings } = await handler.record();
      assert.equal(states(read)[name], stopped ? "notOpened" : "read", warnings.join());
      assert.match(
        warnings.join(),
        stopped ? /a server has were not read for its stack: no answer within some seconds/ : /^$/,
      );
      if (stopped) assert.equal(read?.stack[0]?.trust, "context");
      else assert.deepEqual(names(read).slice(0, 4), IN_MAIN);
    } finally {
      server.kill("SIGCONT");
      execFileSync("umount", ["--lazy", join(place, "fuse")]);
      server.kill();
    }
  });
}

test("a file system can be unmounted as soon as the dump is done", { skip }, async () => {
  const place = join(scratch.path, "mount");
  mkdirSync(place);
  execFileSync("mount", ["-t", "tmpfs", "none", place]);
  try {
    copyFileSync(compiled("stack"), join(place, "stack"));
    using handler = new Handler();
    await using _held = await holdPattern(handler.pattern());
    await crash(join(place, "stack"));
    const from = performance.now();
    while (readFileSync("/proc/self/mounts", "latin1").includes(place)) {
      assert.ok(performance.now() - from < 5000, "the mount is busy");
      try {
        execFileSync("umount", [place], { stdio: "ignore" });
      } catch {
        await sleep(50);
      }
    }
    assert.deepEqual(names((await handler.record()).crash).slice(0, 4), IN_MAIN);
  } finally {
    execFileSync("sh", ["-c", 'umount "$0" 2>/dev/null || true', place]);
  }
});
