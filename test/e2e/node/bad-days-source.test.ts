/** What the kernel hands over is cut short, makes no sense, or is not what /proc shows any more. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { buildCore } from "../../crash/elf/build.ts";
import { KERNEL_ARGUMENTS } from "../../support/captured.ts";
import { crashUnder, Handler, start } from "../../support/faults.ts";
import { program } from "../../support/paths.ts";
import { holdPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "testbed", "binary");

for (const capture of ["direct", "drain"]) {
  test(`a process killed while it dumps (${capture}) keeps what had come`, { skip }, async () => {
    using handler = new Handler({ settings: { capture } });
    {
      await using _held = await holdPattern(handler.pattern());
      const dying = start(program("crash"), "192");
      const pid = await handler.stopInTheMiddle();
      process.kill(dying.pid, "SIGKILL");
      await sleep(20); // the kernel's writer sees it at its next page
      process.kill(pid, "SIGCONT");
      await dying.ended;
    }
    const { state, reason, message, core } = await handler.record();
    assert.deepEqual([state, reason, core.truncation], ["Captured", "Truncated", "source-cut-short"]);
    assert.match(message ?? "", /^source cut short at .* of 19\d MiB: SIGKILL came while it dumped/);
    assert.ok((core.sizeBytes ?? 0) > 0 && (core.sizeBytes ?? 0) < (core.expectedBytes ?? 0));
  });
}

/** Where the crashed process has nothing: its own memory must not take the stream's place. */
const PART = { vaddr: 0x1000_0000_0000n, bytes: Buffer.alloc(4096, 7) };

/** A core with numbers changed: [at, value], 64 bits wide unless said. */
function changed(core: Buffer, ...edits: [at: number, value: bigint, bits?: 16][]): Buffer {
  for (const [at, value, bits] of edits)
    bits ? core.writeUInt16LE(Number(value), at) : core.writeBigUInt64LE(value, at);
  return core;
}

const PHNUM = 56;
/** Of the program header `n`: its parts by their place (elf(5)). */
const header = (n: number) => ({
  offset: 64 + 56 * n + 8,
  vaddr: 64 + 56 * n + 16,
  fileBytes: 64 + 56 * n + 32,
  memBytes: 64 + 56 * n + 40,
});
const two = () => buildCore({ parts: [PART, { ...PART, vaddr: 0x1000_0001_0000n }] });

const STREAMS: readonly { on: string; stream: Buffer; end: string }[] = [
  { on: "nothing", stream: Buffer.alloc(0), end: "Lost NothingReceived source-cut-short" },
  { on: "one byte", stream: Buffer.from("\x7f"), end: "Captured Truncated not-elf" },
  { on: "no ELF", stream: Buffer.alloc(100_000, "hello "), end: "Captured Truncated not-elf" },
  { on: "an ELF header alone", stream: two().subarray(0, 64), end: "Captured Truncated not-elf" },
  { on: "half of the program headers", stream: two().subarray(0, 130), end: "Captured Truncated not-elf" },
  { on: "no program headers", stream: changed(two(), [PHNUM, 0n, 16]), end: "Captured Truncated not-elf" },
  {
    on: "65534 program headers in a short stream",
    stream: changed(two(), [PHNUM, 65534n, 16]),
    end: "Captured Truncated not-elf",
  },
  { on: "65535 and no section header", stream: changed(two(), [PHNUM, 65535n, 16]), end: "Captured Truncated not-elf" },
  {
    on: "a segment of 2^63 bytes",
    stream: changed(two(), [header(2).fileBytes, 1n << 63n], [header(2).memBytes, 1n << 63n]),
    end: "Captured Truncated not-elf",
  },
  {
    on: "a segment at 2^64 - 4096",
    stream: changed(two(), [header(2).offset, (1n << 64n) - 4096n]),
    end: "Captured Truncated not-elf",
  },
  {
    on: "a segment of a terabyte",
    stream: changed(two(), [header(2).fileBytes, 1n << 40n], [header(2).memBytes, 1n << 40n]),
    end: "Captured Truncated source-cut-short",
  },
  { on: "segments over one another", stream: changed(two(), [header(2).offset, 4096n]), end: "Captured  " },
  {
    on: "notes in the middle of memory",
    stream: changed(two(), [header(0).offset, 4096n], [header(0).fileBytes, 4096n]),
    end: "Captured  ",
  },
];

for (const { on, stream, end } of STREAMS) {
  test(`a stream of ${on} is kept as it came, and believed as far as it goes`, { skip }, async () => {
    using handler = new Handler();
    const file = join(handler.folder.path, "stream");
    writeFileSync(file, stream);
    handler.wrap({ shell: `exec 8<&0 < ${file}` }); // the kernel's pipe stays open: the process is held, and /proc is right
    assert.equal((await crashUnder(handler)).signal, "SIGSEGV");
    const { state, reason, core, executable } = await handler.record();
    assert.equal(executable, "crash");
    if (core.path !== null) assert.ok(readFileSync(core.path).equals(stream));
    assert.equal([state, reason, core.truncation].join(" "), end);
  });
}

test("the handler by hand, on a process that has not crashed: the stream is kept, the process's facts are not", {
  skip,
}, async () => {
  using handler = new Handler();
  const asleep = start("/bin/sleep", "60");
  try {
    assert.equal(handler.run([`-P=${asleep.pid}`, "-e=told"], two()), 0);
    const record = await handler.record();
    assert.deepEqual([record.hostPid, record.executable, record.exe], [asleep.pid, "told", null]);
    assert.deepEqual([record.core.complete, record.owner], [true, "unknown"]);
    assert.match(record.identity.problem ?? "", /it is not dumping core/);
  } finally {
    process.kill(asleep.pid);
  }
});

/** The kernel does not look at exit statuses; who replays or tests does. */
const EXITS: readonly {
  on: string;
  settings?: Record<string, unknown>;
  fault?: string;
  args?: string[];
  want: number;
}[] = [
  { on: "a dump that was kept", want: 0 },
  { on: "a dump that was refused", settings: { "max-dump-size": "1" }, want: 0 },
  { on: "no pid", args: ["-P=x"], want: 2 },
  { on: "a folder that cannot be made", fault: "mkdir:2:28", want: 73 },
  { on: "a record that cannot be written", fault: "rename:1:5", want: 73 },
  { on: "a core that cannot be made durable", fault: "fsync:1:5", want: 1 },
];

for (const { on, settings = {}, fault, args = ["-P=4194303"], want } of EXITS) {
  test(`the handler's exit status for ${on} is ${want}`, { skip }, async () => {
    using handler = new Handler({ settings });
    if (fault) handler.wrap({ fault });
    assert.equal(handler.run(args, two()), want);
  });
}

/** Runs before the handler: what it is told is not what is there. */
const MISTAKEN: readonly { on: string; shell: string; why: RegExp }[] = [
  { on: "a pid that is another's", shell: `set -- -P=1 "$@"`, why: /it is not dumping core/ },
  {
    on: "a pid that was given to a later process",
    shell: `sleep 0.05; sleep 9 >&- 2>&- <&- & set -- -P=$! "$@"`,
    why: /it started after the dump/,
  },
  { on: "another uid", shell: `set -- -u=4242 "$@"`, why: /its uid is not 4242/ },
  { on: "another gid", shell: `set -- -g=4242 "$@"`, why: /its gid is not 4242/ },
  {
    on: "a pidfd that is another's",
    shell: `exec python3 -c 'import os, sys; os.dup2(os.pidfd_open(1), 3); os.execv(sys.argv[1], sys.argv[1:])' BINARY "$@"`,
    why: /the pidfd names 1/,
  },
  { on: "a pid that is nobody's", shell: `set -- -P=4194303 "$@"`, why: /the process is gone/ },
];

for (const { on, shell, why } of MISTAKEN) {
  test(`with ${on} the core is kept, and nobody's facts with it`, { skip }, async () => {
    using handler = new Handler();
    handler.wrap({ shell: shell.replace("BINARY", handler.binary) });
    assert.equal((await crashUnder(handler)).signal, "SIGSEGV");
    const record = await handler.record();
    assert.equal(record.core.complete, true);
    assert.equal(record.core.capture, "drain");
    assert.equal(record.owner, "unknown");
    assert.match(record.identity.problem ?? "", why);
    assert.equal(record.exe, null);
    assert.equal(record.executable, "crash", "the kernel's own word, %e");
    assert.equal(record.signal?.name, "SIGSEGV");
    assert.deepEqual(readdirSync(join(handler.dumpDir, record.id, "facts")), ["dumpable"]); // the kernel's own word, %d
  });
}

test("a pid that was given to another process that dumps as well: its memory is not read, nor is it named", {
  skip,
}, async () => {
  using handler = new Handler();
  const stream = join(handler.folder.path, "stream");
  const withoutPidfd = { arguments: KERNEL_ARGUMENTS.replace(/ -F=%F/, "") };
  handler.wrap({ shell: `cat > ${stream}; exit` });
  await crashUnder(handler, ["8"], withoutPidfd);
  handler.wrap({ shell: `exec 8<&0 < ${stream}` }); // one process is held, of the other comes the core
  await crashUnder(handler, ["8"], withoutPidfd);
  const record = await handler.record();
  const { core, exe, comm, owner, identity, warnings } = record;
  assert.ok(core.path && readFileSync(core.path).equals(readFileSync(stream)));
  assert.deepEqual([core.complete, core.capture, exe, comm, owner], [true, "drain", null, null, "unknown"]);
  assert.match(identity.problem ?? "", /the core is another process's/);
  assert.match(warnings.join("; "), /the core is another process's/);
  assert.deepEqual(readdirSync(join(handler.dumpDir, record.id, "facts")), ["dumpable"]);
});
