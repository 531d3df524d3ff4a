import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { after, before, test } from "node:test";
import type { CrashedProcess } from "../../../src/node/kernel/crashed-process.ts";
import { type CoreHead, readHead } from "../../../src/node/kernel/head.ts";
import { type Received, receive } from "../../../src/node/kernel/receive.ts";
import type { Allowance } from "../../../src/node/kernel/sparse-file.ts";
import { ProcDirectory } from "../../../src/system/proc.ts";
import { buildCore, LSB64, note, type Part, prpsinfo, prstatus } from "../../crash/elf/build.ts";
import { stopped, streamOf, type TestProcess, testFile } from "./streams.ts";

let process: TestProcess;
let maps: Buffer;
let parts: readonly Part[];
before(async () => {
  process = await stopped();
  maps = readFileSync(`/proc/${process.pid}/maps`);
  parts = memoryOf(process.pid);
});
after(() => process[Symbol.dispose]());

/** The process's memory, mapping by mapping, as the kernel would dump it: what cannot be read is zeros. */
function memoryOf(pid: number): Part[] {
  const mem = openSync(`/proc/${pid}/mem`, "r");
  const parts = maps
    .toString()
    .trimEnd()
    .split("\n")
    .map((line): Part => {
      const [start = 0n, end = 0n] = (line.split(" ", 1)[0] ?? "").split("-").map((hex) => BigInt(`0x${hex}`));
      const bytes = Buffer.alloc(Number(end - start));
      for (let at = 0; at < bytes.length; at += 4096) readPage(bytes, at, start);
      return { vaddr: start, bytes };
    });
  closeSync(mem);
  return parts;

  function readPage(bytes: Buffer, at: number, start: bigint): void {
    try {
      readSync(mem, bytes, at, 4096, start + BigInt(at));
    } catch {} // [vvar], [vsyscall]
  }
}

const factsOf = (pid: number, mapped: readonly Part[] = []): Map<string, Buffer> =>
  new Map([
    ["status", readFileSync(`/proc/${pid}/status`)],
    ["auxv", readFileSync(`/proc/${pid}/auxv`)],
    ["maps", withLines(mapped)],
  ]);

/** The mappings, and others that are not there. */
function withLines(parts: readonly Part[]): Buffer {
  const hex = (address: bigint) => address.toString(16).padStart(8, "0");
  const more = parts.map(
    ({ vaddr, bytes }) => `${hex(vaddr)}-${hex(vaddr + BigInt(bytes.length))} r--p 00000000 00:01 1 x\n`,
  );
  const start = (line: string) => BigInt(`0x${line.split("-", 1)[0]}`);
  const lines = [...maps.toString().split(/(?<=\n)/), ...more];
  return Buffer.from(lines.toSorted((a, b) => (start(a) < start(b) ? -1 : 1)).join(""));
}

interface Ids {
  readonly tid?: number;
  readonly pid?: number;
  readonly auxv?: Buffer;
}

/** As the kernel orders the crashed thread's first notes. */
function coreOf(parts: readonly Part[], { tid, pid, auxv }: Ids = {}): Buffer {
  const own = process.pid;
  const notes = [
    note(LSB64, "CORE", 1, prstatus(LSB64, tid ?? own, 11)),
    note(LSB64, "CORE", 3, prpsinfo(LSB64, pid ?? own, "sh", "sh")),
    note(LSB64, "CORE", 6, auxv ?? readFileSync(`/proc/${own}/auxv`)),
  ];
  return buildCore({ notes: Buffer.concat(notes), parts });
}

interface Copy extends Received {
  readonly bytes: Buffer;
  readonly head: CoreHead;
  /** How much of the stream was taken. */
  readonly takenBytes: bigint;
}

interface Scene {
  readonly how?: "auto" | "drain" | "direct";
  readonly process?: Partial<CrashedProcess> | null;
  readonly allowance?: Allowance;
  /** Not mapped, though the process's maps say so. */
  readonly mapped?: readonly Part[];
}

async function copy(
  stream: Uint8Array,
  { how = "auto", process: change = {}, allowance, mapped }: Scene = {},
): Promise<Copy> {
  using source = streamOf(stream);
  using made = testFile(allowance);
  using main = new ProcDirectory(`/proc/${process.pid}`);
  const held: CrashedProcess | undefined =
    change === null
      ? undefined
      : {
          facts: factsOf(process.pid, mapped),
          cut: [],
          hostname: undefined,
          pid: process.pid,
          memory: main,
          main,
          unchanged: () => true,
          [Symbol.dispose]() {},
          ...change,
        };
  const head = await readHead(source.pipe);
  const received = await receive(source.pipe, head, made.file, held, how);
  assert.equal(BigInt(made.bytes.length), received.sizeBytes);
  return { ...received, bytes: made.bytes, head, takenBytes: source.pipe.positionBytes };
}

/** One answer after the other, the last for ever. */
const answers =
  (...all: boolean[]) =>
  () =>
    all.length > 1 ? (all.shift() ?? false) : (all[0] ?? false);

test("receive() copies memory directly, byte for byte, and takes the head alone from the stream", async () => {
  const core = coreOf(parts);
  const got = await copy(core);
  assert.ok(got.bytes.equals(core));
  assert.deepEqual([got.capture, got.doubt, got.truncation], ["direct", undefined, undefined]);
  assert.equal(got.takenBytes, got.head.plan?.prefixBytes);
  assert.equal(got.sizeBytes, got.head.expectedBytes);
});

test("receive() copies segments in any order of their addresses", async () => {
  const core = coreOf(parts.toSorted((a, b) => a.bytes.length - b.bytes.length)); // kernel.core_sort_vma
  const got = await copy(core);
  assert.ok(got.bytes.equals(core));
  assert.equal(got.capture, "direct");
});

test("receive() drains when it is told to, and that is no doubt", async () => {
  const core = coreOf(parts);
  const got = await copy(core, { how: "drain" });
  assert.ok(got.bytes.equals(core));
  assert.deepEqual([got.capture, got.doubt, got.takenBytes], ["drain", undefined, BigInt(core.length)]);
});

const unmapped: Part = { vaddr: 0x10000n, bytes: Buffer.alloc(8192, 9) };
const doubts: readonly { on: string; scene?: Scene; parts?: () => readonly Part[]; doubt: RegExp }[] = [
  { on: "there is no process", scene: { process: null }, doubt: /cannot be reached/ },
  { on: "its map could not be read", scene: { process: { facts: new Map() } }, doubt: /cannot be reached/ },
  { on: "it is gone before", scene: { process: { unchanged: answers(false) } }, doubt: /process is gone/ },
  { on: "it is gone behind", scene: { process: { unchanged: answers(true, false) } }, doubt: /process is gone/ },
  {
    on: "a segment cannot be read",
    parts: () => [...parts.slice(0, 3), unmapped, ...parts.slice(3)],
    scene: { mapped: [unmapped] },
    doubt: /0x10000 cannot be read/,
  },
  {
    on: "a segment is none of its mappings",
    parts: () => [...parts, unmapped],
    doubt: /mappings are not the core's/,
  },
  { on: "it has other mappings afterwards", scene: { mapped: [unmapped] }, doubt: /changed meanwhile/ },
  {
    on: "memory lies too high",
    parts: () => [...parts.slice(0, -1), { vaddr: 2n ** 64n - 8192n, bytes: Buffer.alloc(4096, 1) }],
    doubt: /beyond what can be addressed/,
  },
  {
    on: "the core is of another shape",
    parts: () => [{ ...unmapped, bytes: Buffer.alloc(100, 1) }],
    doubt: /whole pages/,
  },
];
for (const { on, scene, parts: chosen, doubt } of doubts) {
  test(`receive() goes back to the stream when ${on}`, async () => {
    const core = coreOf(chosen?.() ?? parts);
    const got = await copy(core, scene);
    assert.ok(got.bytes.equals(core));
    assert.match(got.doubt ?? "", doubt);
    assert.deepEqual([got.capture, got.truncation, got.sizeBytes], ["drain", undefined, BigInt(core.length)]);
  });
}

test("receive() goes back to the stream when the notes do not tell whose it is", async () => {
  const core = coreOf(parts, { auxv: Buffer.alloc(5000) });
  const got = await copy(core);
  assert.ok(got.bytes.equals(core));
  assert.match(got.doubt ?? "", /cannot tell/);
  assert.equal(got.foreign, undefined);
});

const others: readonly { on: string; ids: () => Ids; why: RegExp }[] = [
  { on: "another process", ids: () => ({ pid: 1 }), why: /of a process 1$/ },
  { on: "another thread", ids: () => ({ tid: 1 }), why: /thread that crashed is 1$/ },
  {
    on: "another exec",
    ids: () => {
      const auxv = readFileSync(`/proc/${process.pid}/auxv`);
      auxv.writeUInt8(auxv.readUInt8(9) ^ 1, 9);
      return { auxv };
    },
    why: /another auxiliary vector/,
  },
];
for (const how of ["auto", "drain"] as const)
  for (const { on, ids, why } of others) {
    test(`receive() by ${how} tells that the core is of ${on}, and reads no memory`, async () => {
      const core = coreOf(
        parts.map(({ vaddr, bytes }) => ({ vaddr, bytes: Buffer.alloc(bytes.length, 3) })),
        ids(),
      );
      const got = await copy(core, { how });
      assert.ok(got.bytes.equals(core));
      assert.equal(got.capture, "drain");
      assert.match(got.foreign ?? "", why);
    });
  }

test("receive() keeps nothing of memory that turned out to be another's", async () => {
  const blank = parts.map(({ vaddr, bytes }) => ({ vaddr, bytes: Buffer.alloc(bytes.length) }));
  const got = await copy(coreOf(blank), { process: { unchanged: answers(true, false) } });
  assert.ok(got.bytes.equals(coreOf(blank)));
});

test("receive() keeps what is certain of memory and says so when the stream is shorter than that", async () => {
  const core = coreOf([...parts, unmapped]);
  const got = await copy(core.subarray(0, Number(core.length - 8192 - 4096)), { mapped: [unmapped] });
  assert.equal(got.sizeBytes, BigInt(core.length - 8192));
  assert.ok(got.bytes.equals(core.subarray(0, core.length - 8192)));
});

const streams: readonly { on: string; cut: number }[] = [
  { on: "nothing at all", cut: 0 },
  { on: "a byte", cut: 1 },
  { on: "an ELF header and no more", cut: 64 },
  { on: "program headers and no more", cut: 64 + 56 * 20 },
  { on: "no memory", cut: 4095 },
];
for (const { on, cut } of streams) {
  test(`receive() keeps what came of ${on}`, async () => {
    const core = coreOf(parts);
    for (const how of ["auto", "drain"] as const) {
      const got = await copy(core.subarray(0, cut), { how });
      assert.ok(got.bytes.equals(core.subarray(0, cut)));
      assert.deepEqual([got.capture, got.truncation], ["drain", undefined]);
    }
  });
}

test("receive() keeps a stream that is no core as it is", async () => {
  const text = Buffer.from("not a core\n".repeat(1000));
  const got = await copy(text);
  assert.ok(got.bytes.equals(text));
  assert.match(got.doubt ?? "", /not an ELF core/);
});

for (const how of ["auto", "drain"] as const) {
  test(`receive() by ${how} ends the core where the disk says no, and what comes before is whole`, async () => {
    const core = coreOf(parts);
    for (const limit of [0n, 4096n, 100_000n, 500_000n]) {
      const got = await copy(core, { how, allowance: (held) => (held > limit ? "disk-full" : undefined) });
      assert.equal(got.truncation, "disk-full");
      assert.ok(got.sizeBytes < BigInt(core.length));
      assert.ok(got.bytes.equals(core.subarray(0, got.bytes.length)));
    }
  });
}

test("receive() ends the core at a doubt below the place where the disk said no", async () => {
  const huge: Part = { vaddr: 0x7f0000000000n, bytes: Buffer.alloc(1 << 23, 5) }; // unmapped too, behind what can be read
  const core = coreOf([unmapped, ...parts, huge]);
  const got = await copy(core, {
    mapped: [unmapped, huge],
    allowance: (held) => (held > 50_000n ? "cache-full" : undefined),
  });
  assert.equal(got.truncation, "cache-full");
  assert.ok(got.bytes.equals(core.subarray(0, got.bytes.length)));
});
