/** What modules say of where they come from. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readerOf } from "../../src/crash/elf/bytes.ts";
import { fileImage } from "../../src/crash/image/image.ts";
import { goOf, packageOf, runtimeOf } from "../../src/crash/image/origins.ts";

const RUNTIMES: readonly [string, ReturnType<typeof runtimeOf>][] = [
  ["/usr/lib/libpython3.13.so.1.0", { name: "python", version: "3.13" }],
  ["/usr/bin/python3.11 (deleted)", { name: "python", version: "3.11" }],
  ["/usr/lib/jvm/java-21/lib/server/libjvm.so", { name: "java", version: null }],
  ["/usr/local/bin/node", { name: "node", version: null }],
  ["/usr/lib/libruby-3.1.so.3.1", { name: "ruby", version: "3.1" }],
  ["/usr/share/dotnet/libcoreclr.so", { name: "dotnet", version: null }],
  ["/app/node_modules/libjvmti-agent.so", null],
  ["/app/nodes", null],
];

for (const [path, want] of RUNTIMES) test(`runtimeOf() ${path}`, () => assert.deepEqual(runtimeOf(path), want));

/** An ELF header, one PT_NOTE, and that note. */
function withNote(owner: string, type: number, text: string): Uint8Array {
  const file = Buffer.alloc(64 + 56 + 12 + 4 + Math.ceil(text.length / 4) * 4);
  Buffer.from("7f454c46020101", "hex").copy(file);
  file.writeUInt16LE(3, 16);
  file.writeUInt16LE(62, 18);
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(4, 64);
  file.writeBigUInt64LE(120n, 72);
  file.writeBigUInt64LE(BigInt(file.length - 120), 96);
  file.writeUInt32LE(owner.length + 1, 120);
  file.writeUInt32LE(text.length, 124);
  file.writeUInt32LE(type, 128);
  file.write(owner, 132);
  file.write(text, 136);
  return file;
}

const NOTES: readonly { on: string; text: string; want: unknown }[] = [
  {
    on: "a package",
    text: '{"type":"rpm","name":"shop","version":"1.2-3","os":"fedora","osVersion":"42"}',
    want: { name: "shop", version: "1.2-3", os: "fedora 42" },
  },
  { on: "no version", text: '{"name":"shop"}', want: null },
  { on: "no JSON", text: "{{{{", want: null },
  {
    on: "an escape sequence",
    text: '{"name":"\\u001b[2J","version":"1"}',
    want: { name: "\\x1b[2J", version: "1", os: null },
  },
];

for (const { on, text, want } of NOTES) {
  test(`packageOf() of ${on}`, () => {
    const image = fileImage(readerOf(withNote("FDO", 0xcafe1a7e, text)));
    assert.ok(image);
    assert.deepEqual(packageOf(image), want);
  });
}

test("goOf() of what is not Go is nothing", () => {
  const image = fileImage(readerOf(readFileSync("/proc/self/exe")));
  assert.ok(image);
  assert.equal(goOf(image), null);
});
