import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type TarFile, tarOf } from "../../../src/store/download/tar.ts";
import { tempDir } from "../../support/tmp.ts";
import { FOREVER } from "./world.ts";

const GIB = 2 ** 30;
const mtime = new Date("2026-11-21T07:21:03.512Z");

const ZEROS = Buffer.alloc(1 << 20);

/** Zeros, however many. */
const zeros = (path: string, lengthBytes: number): TarFile => ({
  path,
  lengthBytes,
  mtime,
  async *read(from, to) {
    for (let at = from; at < to; at += ZEROS.length) yield ZEROS.subarray(0, to - at);
  },
});

test("tarOf() makes what tar reads of any length and of any path", async () => {
  const files = [
    zeros("c/empty", 0),
    zeros("c/one", 1),
    zeros("c/block", 512),
    zeros(`c/${"n".repeat(97)}`, 3), // 99: fits
    zeros(`c/${"n".repeat(98)}`, 3), // 100: fits just so
    zeros(`c/${"n".repeat(99)}`, 3), // 101
    zeros(`${"c".repeat(64)}/${"n".repeat(186)}`, 700), // the longest of ours
    zeros("c/huge", 9 * GIB + 1), // its length does not fit eleven octal digits
    zeros("c/last", 5),
  ];
  const tar = tarOf(files);
  using dir = tempDir();
  const path = join(dir.path, "t.tar");
  const fd = openSync(path, "w");
  let at = 0;
  for await (const chunk of tar.read(0, tar.lengthBytes, FOREVER)) {
    if (chunk.length < ZEROS.length) writeSync(fd, chunk, 0, chunk.length, at); // the rest are holes
    at += chunk.length;
  }
  writeSync(fd, Buffer.alloc(1), 0, 1, at - 1);
  closeSync(fd);
  assert.equal(at, tar.lengthBytes);
  const listed = execFileSync("tar", ["--utc", "-tvf", path], { encoding: "utf8" }).trim().split("\n");
  assert.deepEqual(
    listed
      .map((line) => line.split(/ +/))
      .map(([mode, owner, size, day, time, name]) => [mode, owner, Number(size), `${day} ${time}`, name]),
    files.map(({ path, lengthBytes }) => ["-rw-------", "0/0", lengthBytes, "2026-11-21 07:21", path]),
  );
});
