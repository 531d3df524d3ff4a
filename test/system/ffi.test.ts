import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { closeSync, openSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { enlargePipe, inUtsNamespace, tryFlock } from "../../src/system/ffi.ts";
import { FileLock } from "../../src/system/lock.ts";
import { tempDir } from "../support/tmp.ts";

test("tryFlock() is one descriptor's; a second gets it when the first is closed", () => {
  using dir = tempDir();
  const [one, two] = [1, 2].map(() => openSync(join(dir.path, "lock"), "a")) as [number, number];
  assert.deepEqual([tryFlock(one), tryFlock(two), tryFlock(one)], [true, false, true]);
  closeSync(one);
  assert.equal(tryFlock(two), true);
  closeSync(two);
  assert.throws(() => tryFlock(two), { code: "SYSTEM_CALL_FAILED" });
});

test("FileLock ends with the process that holds it, however that ends", async () => {
  using dir = tempDir();
  const path = join(dir.path, "lock");
  const program = `
    import { FileLock } from ${JSON.stringify(join(import.meta.dirname, "../../src/system/lock.ts"))};
    globalThis.held = FileLock.try(${JSON.stringify(path)});
    console.log("held");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, [
    "--disable-warning=ExperimentalWarning",
    "--input-type=module",
    "-e",
    program,
  ]);
  await new Promise((resolve) => child.stdout.once("data", resolve));
  assert.equal(FileLock.try(path), undefined);
  assert.equal(await FileLock.within(path, 20), undefined);
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
  using lock = FileLock.try(path);
  assert.ok(lock);
});

test("inUtsNamespace() acts there and comes back, and does not act where it cannot go", () => {
  const own = openSync("/proc/self/ns/uts", "r");
  const before = readlinkSync("/proc/thread-self/ns/uts");
  let seen: string | undefined;
  const acted = inUtsNamespace(own, own, () => {
    seen = hostname();
  });
  assert.equal(acted ? seen : hostname(), hostname()); // setns(2) takes CAP_SYS_ADMIN
  assert.equal(
    inUtsNamespace(-1, own, () => assert.fail("acted")),
    false,
  );
  assert.equal(readlinkSync("/proc/thread-self/ns/uts"), before);
  closeSync(own);
});

test("enlargePipe() of what is no pipe is nothing", () => {
  const fd = openSync("/dev/null", "r");
  enlargePipe(fd, 1 << 20);
  closeSync(fd);
});
