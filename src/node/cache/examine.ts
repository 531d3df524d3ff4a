/** What a core file says of itself: how long it should be, how long it is, why the process died. */
import { fstatSync } from "node:fs";
import { readNotes } from "../../crash/elf/crash.ts";
import { fileReader } from "../../crash/elf/file-reader.ts";
import { type CoreLayout, layoutOf } from "../../crash/elf/layout.ts";
import type { DumpRecord, DumpThread } from "../../domain/dump.ts";
import { hasFaultAddress, signalCodeText, signalName } from "../../domain/signals.ts";
import { jsonBytes } from "../../domain/units.ts";
import { dataEnd, nextData } from "../../system/ffi.ts";
import { readAt } from "../../system/io.ts";

/** The core's layout, or undefined when its headers make no sense. */
export function layoutIn(fd: number): CoreLayout | undefined {
  const layout = layoutOf(fileReader(fd));
  return layout.ok ? layout : undefined;
}

type FromCore = Pick<DumpRecord, "signal" | "threads" | "threadCount">;

/**
 * Signal and threads out of the notes, joined with what the kernel's arguments and /proc said already.
 *
 * @param names  thread names by tid in the process's own pid namespace (/proc/P/task, NSpid)
 */
export function crashIn(fd: number, layout: CoreLayout, known: FromCore, names: ReadonlyMap<number, string>): FromCore {
  const facts = readNotes(fileReader(fd), layout.headers, layout.header);
  const number = facts.signal || known.signal?.number;
  const threads = facts.threads.map(
    ({ tid }, at): DumpThread => ({ tid, name: names.get(tid) ?? null, crashed: at === 0 }),
  );
  return {
    signal: number === undefined ? known.signal : signalOf(number, facts.code, facts.faultAddress),
    threads: threads.length > 0 ? threads : known.threads,
    threadCount: threads.length > 0 ? facts.threadCount : known.threadCount,
  };
}

/** The threads that `crashIn()` will list, by their numbers in the process's own pid namespace. */
export function threadsIn(fd: number): readonly number[] {
  const layout = layoutIn(fd);
  return layout ? readNotes(fileReader(fd), layout.headers, layout.header).threads.map(({ tid }) => tid) : [];
}

/** A signal in words. @param address  si_addr; left out where it means nothing */
export function signalOf(
  number: number,
  code: number | null = null,
  address: bigint | null = null,
): NonNullable<DumpRecord["signal"]> {
  const fault = code !== null && address !== null && hasFaultAddress(number, code);
  return {
    number,
    name: signalName(number),
    code,
    codeText: code === null ? null : (signalCodeText(number, code) ?? null),
    faultAddress: fault ? `0x${address.toString(16)}` : null,
  };
}

/** Sizes as the record states them. */
export function sizesOf(fd: number): { logicalBytes: number; storedBytes: number } {
  const { size, blocks } = fstatSync(fd, { bigint: true });
  return { logicalBytes: jsonBytes(size), storedBytes: jsonBytes(blocks * 512n) };
}

const CHUNK_BYTES = 1 << 20;
/** Zeros are hashed on this thread; so often others have their turn. */
const TURN_BYTES = 16 << 20;

/**
 * SHA-256 of a file's bytes, holes as zeros, as hex; `each` sees every chunk on the way (its buffer is reused).
 * Holes are not read: their zeros would go through the page cache, and push out what others have there.
 * node:crypto is loaded here, after the release of the process.
 */
export async function sha256Of(
  fd: number,
  each?: (chunk: Buffer, positionBytes: bigint) => void | Promise<void>,
  lengthBytes = fstatSync(fd).size,
): Promise<string> {
  const { createHash } = await import("node:crypto");
  const hash = createHash("sha256");
  for await (const { chunk, position } of chunksOf(fd, lengthBytes)) {
    hash.update(chunk);
    await each?.(chunk, BigInt(position));
  }
  return hash.digest("hex");
}

/** All of a sparse file in order, what is a hole without reading it. */
async function* chunksOf(fd: number, lengthBytes: number): AsyncGenerator<{ chunk: Buffer; position: number }, void> {
  const [buffer, zeros] = [Buffer.allocUnsafeSlow(CHUNK_BYTES), Buffer.alloc(CHUNK_BYTES)];
  for (let position = 0; position < lengthBytes; ) {
    for (const data = nextData(fd, position, lengthBytes); position < data; ) {
      const chunk = zeros.subarray(0, Math.min(CHUNK_BYTES, data - position));
      yield { chunk, position };
      position += chunk.length;
      if (position % TURN_BYTES < CHUNK_BYTES) await new Promise((resolve) => setImmediate(resolve));
    }
    for (const end = dataEnd(fd, position, lengthBytes); position < end; ) {
      const length = await readAt(fd, buffer, Math.min(CHUNK_BYTES, end - position), BigInt(position));
      if (length === 0) return; // it has become shorter
      yield { chunk: buffer.subarray(0, length), position };
      position += length;
    }
  }
}
