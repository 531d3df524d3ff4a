/** Memory of every kind comes out as the kernel would have written it; what cannot be read is left to the kernel. */
import assert from "node:assert/strict";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { assertSameAsKernel, captured } from "../../support/captured.ts";
import { compiled, crash, Handler, start } from "../../support/faults.ts";
import { program } from "../../support/paths.ts";
import { holdPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "testbed", "binary");

const SHAPES: readonly { on: string; args: string[]; capture: "direct" | "drain"; threads?: number }[] = [
  { on: "left out by MADV_DONTDUMP", args: ["dontdump"], capture: "direct" },
  { on: "that nobody may read (PROT_NONE)", args: ["prot-none"], capture: "direct" },
  { on: "shared and anonymous", args: ["shared"], capture: "direct" },
  { on: "of a memfd with a hostile name", args: ["memfd"], capture: "direct" },
  { on: "in huge pages", args: ["huge"], capture: "direct" },
  { on: "shared copy-on-write with another process", args: ["forked"], capture: "direct" },
  { on: "that is there and zero", args: ["zeros"], capture: "direct" },
  { on: "of a file, not in memory", args: ["file", "8"], capture: "direct" },
  { on: "of a file that became shorter (EIO: the pipe has the kernel's zeros)", args: ["truncated"], capture: "drain" },
  { on: "in 1500 mappings", args: ["mappings", "1500"], capture: "direct" },
  { on: "of 300 threads", args: ["threads", "300"], capture: "direct", threads: 301 },
  { on: "that never comes (userfaultfd: nobody touches it)", args: ["userfault"], capture: "direct" },
];

for (const { on, args, capture, threads = 1 } of SHAPES) {
  test(`memory ${on} is the kernel's, byte for byte`, { skip }, async () => {
    using one = await captured(() => crash(compiled("memory"), ...args));
    assertSameAsKernel(one);
    assert.equal(one.record.core.capture, capture, one.record.warnings.join("; "));
    assert.equal(one.record.threadCount, threads);
  });
}

test("a process whose first thread has ended is captured whole, through the thread that crashed", {
  skip,
}, async () => {
  using one = await captured(() => crash(program("crash"), "-x", "1", "3"));
  assertSameAsKernel(one);
  const { record } = one;
  assert.equal(record.core.capture, "direct", record.warnings.join("; "));
  assert.equal(record.executable, "crash");
  assert.match(record.exe ?? "", /\/crash$/);
  assert.equal(record.threads[0]?.name, "worker-1");
  assert.notEqual(record.hostTid, record.hostPid);
});

test("memory that another process takes away while it is read is left to the pipe", { skip }, async () => {
  using handler = new Handler();
  const path = join(handler.folder.path, "now");
  {
    await using _held = await holdPattern(handler.pattern());
    const dying = start(compiled("memory"), "vanishing", path);
    try {
      const pid = await handler.stopInTheMiddle(16 << 20); // where the pages are was looked up by then
      writeFileSync(path, "");
      while (!existsSync(`${path}.done`)) await sleep(5);
      process.kill(pid, "SIGCONT");
      await dying.ended;
    } finally {
      rmSync(`${path}.done`, { force: true });
    }
  }
  const { core, heldMs, warnings } = await handler.record();
  assert.deepEqual([core.complete, core.capture, core.truncation], [true, "drain", null]);
  assert.match(warnings.join("; "), /copied from the pipe: .*memory at 0x\w+ (hangs|cannot be read)/);
  assert.ok((heldMs ?? 0) < 8000, `held ${heldMs} ms`);
});
