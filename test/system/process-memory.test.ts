import assert from "node:assert/strict";
import { test } from "node:test";
import { libc } from "../../src/system/ffi.ts";
import { ProcessReader, sharesMemory } from "../../src/system/process-memory.ts";

const address = (bytes: Buffer): bigint => libc()?.address(bytes) ?? assert.fail("this Node has no ffi");

test("ProcessReader reads another's memory or our own, and nothing where there is none", () => {
  const [from, into] = [Buffer.allocUnsafeSlow(1 << 20), Buffer.allocUnsafeSlow(1 << 20)];
  from.fill("pattern");
  const reader = new ProcessReader(process.pid);
  const pieces = [
    { at: 0, length: 4096 },
    { at: 8192, length: 512 << 10 },
  ];
  assert.equal(reader.read(into, address(from), pieces), true);
  for (const { at, length } of pieces) assert.ok(into.subarray(at, at + length).equals(from.subarray(at, at + length)));
  assert.equal(reader.read(into, 0x1000n, [{ at: 0, length: 4096 }]), false);
  const beyondEveryPid = new ProcessReader(2 ** 22 + 1);
  assert.equal(beyondEveryPid.read(into, address(from), [{ at: 0, length: 1 }]), false);
});

test("ProcessReader stops for good at pages that it makes the kernel fault in", () => {
  const [untouched, into] = [Buffer.allocUnsafeSlow(4 << 20), Buffer.allocUnsafeSlow(4 << 20)];
  const reader = new ProcessReader(process.pid);
  const before = libc()?.minorFaults() ?? Number.NaN;
  assert.equal(reader.read(into, address(untouched), [{ at: 0, length: 4 << 20 }]), false);
  const faults = (libc()?.minorFaults() ?? Number.NaN) - before - into.length / 4096; // the buffer's own
  assert.ok(faults <= 64, `${faults} faults`);
  into.fill(1);
  assert.equal(reader.read(untouched, address(into), [{ at: 0, length: 4096 }]), false);
});

test("sharesMemory() finds whoever has that memory but for the process itself", () => {
  assert.equal(sharesMemory(process.pid, process.pid), false);
  assert.equal(sharesMemory(process.pid, 0), true);
});
