/** Why a process crashed, out of its core (or what was read of it while it was held) and the files that it had mapped. */
import { basename } from "node:path";
import {
  type Crash,
  type CrashFrame,
  type CrashModule,
  type CrashThread,
  MAX_FRAMES,
  MAX_THREAD_FRAMES,
  MAX_THREADS,
} from "../domain/crash.ts";
import { textOf } from "../domain/text.ts";
import { buildIdOf } from "./elf/build-id.ts";
import type { ReadAt } from "./elf/bytes.ts";
import { hex, safeName } from "./elf/safe-name.ts";
import { framesOf } from "./frames.ts";
import { headerReader } from "./image/image.ts";
import { type Files, type Module, Modules } from "./image/modules.ts";
import { goOf, packageOf, runtimeOf } from "./image/origins.ts";
import { fingerprintOf } from "./names/fingerprint.ts";
import { titleOf } from "./names/title.ts";
import { type ProcessState, processOf, type ThreadState } from "./process/core.ts";
import { Memory } from "./process/memory.ts";
import { merged } from "./python/merge.ts";
import { PythonRuntime } from "./python/runtime.ts";
import { attempted, Context } from "./unwind/context.ts";
import { type Walked, walk } from "./unwind/walk.ts";

interface Sources {
  /** The core, by offset; it may be cut short. */
  readonly core: ReadAt;
  readonly files: Files;
  /** Of the threads, where they are known; by id in the process's namespaces. */
  readonly names?: ReadonlyMap<number, string>;
  /** Whether the other threads are of interest. */
  readonly allThreads?: boolean;
}

/** Never throws: what could not be found out is null, and `problem` says why. */
export function crashOf(sources: Sources): Crash {
  try {
    const opened = processOf(sources.core);
    return opened.ok ? crashIn(opened.process, sources) : unknown(opened.why);
  } catch (error) {
    return unknown(error instanceof Error ? error.message : String(error));
  }
}

/** The same of a process that is described without a core. */
function crashIn(process: ProcessState, { files, names, allThreads = true }: Omit<Sources, "core">): Crash {
  const memory = new Memory(process.arch.bits === 64 ? 8 : 4, process.core);
  const modules = new Modules(process, memory, files);
  memory.add((address, length) => modules.bytes(address, length));
  const context = new Context(process, memory, modules);
  const threads = process.threads.slice(0, allThreads ? MAX_THREADS : 1);
  const walked = threads.map((thread, i) => walk(context, thread.registers, i === 0 ? MAX_FRAMES : MAX_THREAD_FRAMES));
  const python = PythonRuntime.of(context);
  const stacks = framesOf(context, walked).map((frames, i) => {
    const runs = python?.runsOf(threads[i]?.tid ?? 0, i === 0 ? MAX_FRAMES : MAX_THREAD_FRAMES) ?? [];
    return merged(walked[i]?.frames ?? [], frames, runs, process.arch.sp);
  });
  const shown = modules.all.map(shownModule);
  const stack = (stacks[0] ?? []).slice(0, MAX_FRAMES);
  const seen = {
    signal: process.signal,
    pid: process.pid,
    stack,
    modules: shown,
    executable: executableOf(process, modules),
  };
  return {
    title: titleOf({ ...seen, stackPointer: threads[0]?.registers[process.arch.sp] }),
    ...fingerprintOf(seen),
    version: 1,
    problem: problemOf(modules, walked[0]),
    runtime: python ? { name: "python", version: python.version } : runtimeIn(modules),
    stack,
    deeper: (walked[0]?.deeper ?? false) || (stacks[0]?.length ?? 0) > MAX_FRAMES,
    threads: threads.map((thread, i) => shownThread(thread, i, stacks[i] ?? [], names)),
    modules: shown,
  };
}

const unknown = (problem: string): Crash => ({
  title: "crash",
  fingerprint: null,
  site: null,
  version: 1,
  problem: safeName(problem),
  runtime: null,
  stack: [],
  deeper: false,
  threads: [],
  modules: [],
});

const AT_ENTRY = 9;

/** The base name of the file that the kernel started, or of an interpreter's script what the kernel called the process. */
function executableOf(process: ProcessState, modules: Modules): string {
  const module = modules.at(process.auxv.get(AT_ENTRY) ?? 0n);
  const name = module && basename(module.path.replace(/ \(deleted\)$/, ""));
  return name ? textOf(Buffer.from(name, "latin1")) : textOf(process.comm);
}

function problemOf(modules: Modules, walked: Walked | undefined): string | null {
  if (modules.all.length === 0) return "the core names no files that were mapped";
  if (walked?.deeper && walked.frames.length < MAX_FRAMES) return "looking for further callers took too long";
  if (!walked || walked.ended || walked.deeper) return null;
  return "the stack could not be followed to its bottom";
}

function shownModule(module: Module): CrashModule {
  const { image, start, end, state } = module;
  const go = image && attempted(() => goOf(image) ?? undefined);
  return {
    path: safeName(textOf(Buffer.from(module.path, "latin1"))),
    buildId: (image && attempted(() => buildIdOf(headerReader(image)))) ?? null,
    start: hex(start),
    end: hex(end),
    sha256: null,
    state,
    package: (image && attempted(() => packageOf(image) ?? undefined)) ?? null,
    go: go ? { module: go.module, version: go.version, revision: go.revision } : null,
  };
}

/** What interprets the program, or Go, whose run-time is part of it. */
function runtimeIn({ all }: Modules): Crash["runtime"] {
  for (const { image, path } of all) {
    const go = image && attempted(() => goOf(image) ?? undefined);
    const found = go ? { name: "go", version: go.goVersion } : runtimeOf(textOf(Buffer.from(path, "latin1")));
    if (found) return found;
  }
  return null;
}

function shownThread(
  thread: ThreadState,
  index: number,
  stack: readonly CrashFrame[],
  names: Sources["names"],
): CrashThread {
  const name = names?.get(thread.tid);
  return {
    tid: thread.tid,
    name: name === undefined ? null : safeName(name),
    crashed: index === 0,
    stack: stack.slice(0, MAX_THREAD_FRAMES),
  };
}
