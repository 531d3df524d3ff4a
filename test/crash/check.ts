/** Whether a stack is the one that was written down. */
import { execFileSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { Sysroot } from "../../src/cli/commands/sysroot.ts";
import { crashOf } from "../../src/crash/crash.ts";
import type { ReadAt } from "../../src/crash/elf/bytes.ts";
import { fileReader } from "../../src/crash/elf/file-reader.ts";
import { demangled } from "../../src/crash/names/demangle.ts";
import { plainName, plainOf } from "../../src/crash/names/plain.ts";
import type { Crash, CrashFrame } from "../../src/domain/crash.ts";
import type { Case } from "./cases.ts";
import type { Crashed } from "./corpus.ts";

export function crashIn(core: string): Crash {
  const fd = openSync(core, "r");
  using sysroot = new Sysroot("/");
  try {
    return crashOf({ core: fileReader(fd), files: sysroot.file });
  } finally {
    closeSync(fd);
  }
}

/** Every function that any case of the build expects: what else is on a stack belongs to libraries. */
const known = (cases: readonly Case[]): ReadonlySet<string> => new Set(cases.flatMap(({ expect }) => expect));

export const nameOf = (frame: CrashFrame): string =>
  frame.kind === "signal" ? "<signal>" : frame.function === null ? "?" : plainOf(frame.function, frame.kind);

/** Names of a stripped program's frames out of the same program before it was stripped. */
export function namer({ build, named }: Crashed): (frame: CrashFrame) => string {
  if (build.after?.[0] !== "strip") return nameOf;
  const symbols = execFileSync("nm", ["-n", "--defined-only", named], { encoding: "utf8" });
  const functions = symbols.split("\n").flatMap((line) => {
    const [at, type, name] = line.split(" ");
    return at && name && /[tTwW]/.test(type ?? "") ? [{ at: Number.parseInt(at, 16), name }] : [];
  });
  return (frame) => {
    const name = nameOf(frame);
    if (name !== "?" || frame.module !== 0 || frame.offset === null) return name;
    const at = frame.offset - (frame.trust === "context" || frame.trust === "signal" ? 0 : 1);
    return plainName(demangled(functions.findLast((each) => each.at <= at)?.name ?? "?"));
  };
}

/** @returns undefined: as expected; else what is wrong */
export function wrongWith(
  { build, case: { expect, some, recursive } }: Crashed,
  stack: readonly CrashFrame[],
  name = nameOf,
): string | undefined {
  const wanted = known(build.cases);
  // gcc splits functions, and inlines the one part into the other: one function still.
  const whole = stack.filter((each, i) => !each.inlined || nameOf(each) !== nameOf(stack[i + 1] ?? each));
  const names = whole.map(name).filter((each) => wanted.has(each));
  const said = `${names.slice(0, 12).join(" ")}`;
  if (recursive) return names.length >= 200 && names.every((each) => expect.includes(each)) ? undefined : said;
  if (some) return isWithin(names, expect) ? undefined : said;
  return names.join() === expect.join() ? undefined : said;
}

function isWithin(names: readonly string[], expect: readonly string[]): boolean {
  let at = 0;
  for (const each of expect) if (names[at] === each) at++;
  return at === names.length;
}

/** About one byte of `per` is another than it was, always the same ones. ELF's first words stay, so that it is read at all. */
export function flipping(read: ReadAt, seed: number, per: number): ReadAt {
  return (offset, length) => {
    const bytes = Uint8Array.from(read(offset, length));
    for (let i = 0; i < bytes.length; i++) {
      const at = Number(offset) + i;
      const hash = Math.imul(at ^ (seed * 0x9e3779b1), 0x85ebca6b) >>> 0;
      if (at >= 64 && hash % per === 0) bytes[i] = hash >>> 24;
    }
    return bytes;
  };
}
