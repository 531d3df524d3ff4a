/**
 * The built handler in a folder of its own, run by the real kernel without anything between: settings beside it, its
 * disk or itself made to fail at a named step (faults.c). And the truth that must hold after any bad day.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { DumpRecord } from "../../src/domain/dump.ts";
import { Spool } from "../../src/node/cache/spool.ts";
import { KERNEL_ARGUMENTS } from "./captured.ts";
import { BINARY, program, TESTBED } from "./paths.ts";
import { holdPattern, type PatternOptions } from "./pattern.ts";
import { tempDir } from "./tmp.ts";

export interface HandlerOptions {
  /** Content of settings.json: an object, or bytes as they are. */
  readonly settings?: Readonly<Record<string, unknown>> | string;
  readonly wrap?: Wrapping;
  /** Default: only what this process started; anything else on the machine may crash as well. */
  readonly crashesOf?: "ours" | "anybody";
  /** The pattern that install found, for chaining. */
  readonly formerPattern?: string;
  /** Default: a folder `cache` that is not there yet. */
  readonly dumpDir?: string;
}

/** What stands between the kernel and the handler. */
export interface Wrapping {
  /** `NAME:FROM:KILL` or `NAME:FROM:ERRNO`, see faults.c. */
  readonly fault?: string;
  /** Shell commands to run first; arguments are "$@", the core is at descriptor 0. */
  readonly shell?: string;
}

/** The first number of any pattern here is the pid. */
const GUARD = `pid=$(echo "$*" | sed -n '1s/[^0-9]*\\([0-9]*\\).*/\\1/p')
[ -n "$BY_HAND" ] || [ "$(sed -n 's/^PPid:[[:space:]]*//p' /proc/$pid/status)" = ${process.pid} ] || exit 0`;

export class Handler implements Disposable {
  readonly folder = tempDir();
  readonly binary = join(this.folder.path, "coredump-detector");
  readonly dumpDir: string;
  /** What the handler did to its disk, a step a line; only with a fault. */
  readonly steps = join(this.folder.path, "steps");

  readonly #guard: string;

  constructor(options: HandlerOptions = {}) {
    this.#guard = options.crashesOf === "anybody" ? "" : GUARD;
    this.dumpDir = options.dumpDir ?? join(this.folder.path, "cache");
    link(BINARY, this.binary);
    symlinkSync(join(dirname(BINARY), "lib"), join(this.folder.path, "lib"));
    this.settings(options.settings ?? {});
    this.wrap(options.wrap);
    if (options.formerPattern !== undefined)
      this.write("install-state.json", JSON.stringify({ formerPattern: options.formerPattern }));
  }

  settings(settings: Readonly<Record<string, unknown>> | string): void {
    const json =
      typeof settings === "string" ? settings : JSON.stringify({ "dump-dir": this.dumpDir, host: "keep", ...settings });
    this.write("settings.json", json);
  }

  /** From now on it runs like this; without an argument, as it is. */
  wrap({ fault, shell = "" }: Wrapping = {}): void {
    const preload = fault && `LD_PRELOAD=${compiled("faults.so")} FAULT=${fault} FAULT_LOG=${this.steps}`;
    this.write(
      "h",
      `#!/bin/sh\n${this.#guard}\n${shell}\n${preload ?? ""} FAULT_DIR=${this.dumpDir} exec ${this.binary} "$@"\n`,
    );
    chmodSync(join(this.folder.path, "h"), 0o700);
  }

  write(name: string, content: string): void {
    writeFileSync(join(this.folder.path, name), content, { mode: 0o600 });
  }

  /** With `kernelArguments` other than the installed pattern's: see core(5). */
  pattern(kernelArguments = KERNEL_ARGUMENTS): string {
    return `|${this.folder.path}/h ${kernelArguments}`;
  }

  /** Pids of this handler that run now. */
  pids(): number[] {
    return readdirSync("/proc")
      .filter((pid) => /^\d+$/.test(pid) && exeOf(pid) === this.binary)
      .map(Number);
  }

  /** The kernel does not tell when its handler ends; the process that crashed is long gone then. */
  async ended(timeoutMs = 30_000): Promise<void> {
    for (const end = performance.now() + timeoutMs; this.#isCalled(); await sleep(10))
      assert.ok(performance.now() < end, `the handler still runs after ${timeoutMs} ms`);
  }

  /** Stops the handler once it has begun to write the core, or has so many bytes of it. @returns its pid */
  async stopInTheMiddle(bytes = 1): Promise<number> {
    for (const end = performance.now() + 120_000; performance.now() < end; await sleep(1)) {
      const [pid] = this.pids();
      if (pid === undefined || !this.#holdsPart(bytes)) continue;
      process.kill(pid, "SIGSTOP");
      return pid;
    }
    throw new Error("No handler has begun to write");
  }

  #holdsPart(bytes: number): boolean {
    const files = existsSync(this.dumpDir) ? readdirSync(this.dumpDir, { recursive: true, encoding: "utf8" }) : [];
    const size = (file: string) => statSync(join(this.dumpDir, file), { throwIfNoEntry: false })?.size ?? 0;
    return files.some((file) => file.endsWith("/core.part") && size(file) >= bytes);
  }

  /** Runs, or what stands before it does. */
  #isCalled(): boolean {
    return readdirSync("/proc").some((pid) => exeOf(pid) === this.binary || isScript(pid, join(this.folder.path, "h")));
  }

  isAlive(pid: number): boolean {
    return existsSync(`/proc/${pid}`);
  }

  /** The handler by hand. @returns its exit status, or 128 + its signal */
  run(args: readonly string[], stdin: Uint8Array | string = ""): number {
    const { status, signal } = spawnSync(join(this.folder.path, "h"), args, { input: stdin, env: { BY_HAND: "yes" } });
    return status ?? 128 + (signal === "SIGKILL" ? 9 : 0);
  }

  /** A command of ours on this cache. */
  command(...args: string[]): { status: number | null; stdout: string; stderr: string } {
    return spawnSync(BINARY, [...args, "-d", this.dumpDir], { encoding: "utf8" });
  }

  /** A file of a dump, wherever the dump lies. */
  path(id: string, name = ""): string {
    return Spool.open(this.dumpDir).entry(id).path(name);
  }

  /** What an operator sees, the newest first, once it was held against the files. */
  async records(timeoutMs?: number): Promise<DumpRecord[]> {
    await this.ended(timeoutMs);
    const { status, stdout, stderr } = this.command("list", "-o", "json");
    assert.equal(status, 0, stderr);
    assert.equal(stderr.includes("warning"), false, stderr);
    const records: DumpRecord[] = JSON.parse(stdout);
    for (const record of records) this.#assertTrue(record);
    this.#assertVerified(records);
    assert.deepEqual(heldLocks(this.dumpDir), []);
    return records;
  }

  /** Numbers of the steps of the dump that was logged; of its two dozen facts the first stands for all. */
  stepsTaken(): number[] {
    const steps = readFileSync(this.steps, "latin1").trimEnd().split("\n");
    return steps.flatMap((step, at) => (!step.includes("/facts/") || step.endsWith("/stat") ? [at + 1] : []));
  }

  /** The one record there is. */
  async record(timeoutMs?: number): Promise<DumpRecord> {
    const [record, ...more] = await this.records(timeoutMs);
    assert.ok(
      record && more.length === 0,
      `${more.length + (record ? 1 : 0)} records: ${existsSync(this.dumpDir) ? readdirSync(this.dumpDir, { recursive: true }) : "no cache"}`,
    );
    return record;
  }

  #assertTrue({ id, state, core }: DumpRecord): void {
    const files = readdirSync(this.path(id));
    assert.deepEqual(
      files.filter((name) => name.endsWith(".part") || name === "reserved"),
      [],
    );
    assert.equal(files.includes("core"), core.path !== null, `${state}: ${files}`);
    assert.notEqual(state, "Capturing");
    if (core.path === null) return;
    assert.equal(core.path, join(this.dumpDir, id, "core"));
    assert.equal(core.sha256, execFileSync("sha256sum", [core.path], { encoding: "latin1" }).slice(0, 64));
    assert.equal(core.logicalBytes, statSync(core.path).size);
    assert.equal(core.storedBytes, statSync(core.path).blocks * 512);
    assert.equal(core.sizeBytes, core.logicalBytes);
    assert.equal(core.complete, core.truncation === null && (core.sizeBytes ?? 0) >= (core.expectedBytes ?? Infinity));
  }

  /** `info` and `verify` say the same as `list`. */
  #assertVerified(records: readonly DumpRecord[]): void {
    const [first] = records;
    if (!first) return;
    assert.deepEqual(JSON.parse(this.command("info", first.id, "-o", "json").stdout), first);
    const held = records.filter(({ core }) => core.path !== null);
    const whole = held.every(({ core }) => core.complete);
    const { status, stdout, stderr } = this.command("verify", "--all", "-o", "json");
    assert.equal(status, whole ? 0 : 65, `${stdout}${stderr}`);
  }

  [Symbol.dispose](): void {
    for (const pid of this.pids()) process.kill(pid, "SIGKILL");
    this.folder[Symbol.dispose]();
  }
}

/** Directories that were made and hold no record yet count as abandoned only when they are not young any more. */
export function age(dumpDir: string): void {
  for (const name of existsSync(dumpDir) ? readdirSync(dumpDir) : []) utimesSync(join(dumpDir, name), 0, 0);
}

export interface Crashed {
  readonly pid: number;
  /** That it died of; the parent's wait has returned. */
  readonly signal: NodeJS.Signals | null;
}

/** A program that is about to crash. */
export function start(command: string, ...args: string[]): { readonly pid: number; readonly ended: Promise<Crashed> } {
  const child = spawn(command, args, { stdio: "ignore", cwd: "/" });
  const pid = child.pid ?? 0;
  return { pid, ended: once(child, "exit").then(([, signal]) => ({ pid, signal })) };
}

/** Starts a program and waits until it is gone and reaped. */
export const crash = (command: string, ...args: string[]): Promise<Crashed> => start(command, ...args).ended;

/** One crash of the test bed's program under this handler. */
export async function crashUnder(
  handler: Handler,
  args: readonly string[] = ["0"],
  options: PatternOptions & { arguments?: string; command?: string } = {},
): Promise<Crashed> {
  await using _held = await holdPattern(handler.pattern(options.arguments), options);
  return await crash(options.command ?? program("crash"), ...args);
}

/** A C source beside this file, made into a library or a program. */
export function compiled(name: "faults.so" | "memory" | "odd" | "cost" | "stack" | "fuse"): string {
  const source = join(import.meta.dirname, `${name.replace(/\.so$/, "")}.c`);
  const out = join(TESTBED, name);
  const kind = name.endsWith(".so")
    ? ["-shared", "-fPIC"]
    : name === "stack"
      ? ["-no-pie", "-ldl"]
      : ["-static", "-pthread"];
  if (!existsSync(out) || statSync(out).mtimeMs < statSync(source).mtimeMs)
    execFileSync("gcc", ["-O1", "-g", "-Wall", "-Wextra", "-Werror", ...kind, "-o", out, source]);
  return out;
}

/** A hard link, so that the 118 MB are in memory already; a copy where the file systems differ. */
function link(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

function exeOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return undefined;
  }
}

function isScript(pid: string, path: string): boolean {
  try {
    return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0")[1] === path;
  } catch {
    return false;
  }
}

/** Locks below a cache that somebody still holds, from /proc/locks by inode. */
function heldLocks(dir: string): string[] {
  const inodes = new Set(
    readFileSync("/proc/locks", "latin1")
      .match(/[0-9a-f]+:[0-9a-f]+:\d+/g)
      ?.map((id) => id.split(":")[2]),
  );
  const files = existsSync(dir) ? readdirSync(dir, { recursive: true, encoding: "utf8" }) : [];
  return files.filter((file) => inodes.has(String(statSync(join(dir, file)).ino)));
}
