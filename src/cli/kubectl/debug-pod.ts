/** `debug --in-cluster`: gdb in a pod beside the crashed image, the core streamed into it. */
import { dirname } from "node:path";
import { buildIdOf } from "../../crash/elf/build-id.ts";
import { readerOf } from "../../crash/elf/bytes.ts";
import { type MappedFile, mappedFiles } from "../../crash/process/mapped.ts";
import { DumpError } from "../../domain/failures.ts";
import { printable } from "../../domain/text.ts";
import { parseDurationMs } from "../../domain/units.ts";
import type { Coredump } from "../../kube/coredump.ts";
import type { ImageRef } from "../client/debug/engine.ts";
import { batchArguments, type DebugSubject, gdbArguments, interactive } from "../client/debug/gdb.ts";
import { gdbImageOf, imageForAll } from "../client/debug/gdb-image.ts";
import {
  CORE,
  crashedPod,
  type DebugPod,
  podFor,
  pullableReferences,
  SYSROOT,
  startPod,
  type Wish,
} from "../client/debug/pod.ts";
import { needKubectl, PodShell } from "../client/debug/pod-shell.ts";
import { isPlain } from "../client/debug/view.ts";
import type { Session } from "../client/session.ts";
import type { Parsed } from "../commands/flags.ts";
import { say } from "../output/print.ts";
import { accessWords } from "./access.ts";
import { boundsIn, printBacktrace, refuse } from "./debug-output.ts";
import { type DownloadOrder, streamed } from "./download.ts";
import { downloadable, openCore, sha256Of } from "./dump.ts";

/** Headers and notes, as a rule; what comes after it of mapped files stays unknown. */
const HEAD_BYTES = 32 << 20;
/** A linker puts the build id into the first page. */
const FILE_HEAD_BYTES = 64 << 10;

/** @throws DumpError; whatever ends it, the pod is removed */
export async function debugInCluster(argv: Parsed, ours: Session, signal: AbortSignal): Promise<void> {
  needKubectl();
  const bounds = boundsIn(argv);
  const flag = argv["gdb-image"] as string | undefined;
  const gdbImage = gdbImageOf(flag, process.env, flag ? undefined : await imageForAll(ours.http, signal));
  const coredump = await downloadable(ours, String(argv["name"]));
  const remote = await openCore(ours, coredump, signal);
  await using pod = await podWith(argv, ours, coredump, { gdbImage, coreBytes: remote.lengthBytes }, signal);
  const shell = new PodShell([...accessWords(argv), "--namespace", ours.namespace], pod.name, gdbImage);
  say(`Copying the core into pod ${pod.name}`);
  const mapped = await copied(shell, { remote, sha256: sha256Of(coredump), signal });
  const executable = await executableOf(shell, coredump, mapped, signal);
  const folders = new Set(mapped.flatMap(({ path }) => (isPlain(path) ? dirname(path) : [])));
  const subject: DebugSubject = {
    executable: `${SYSROOT}${executable}`,
    core: CORE,
    sysroot: SYSROOT,
    folders: [...folders].map((folder) => `${SYSROOT}${folder}`),
    debuginfod: argv["debuginfod"] === true,
  };
  if (argv["print-backtrace"] === true) {
    const all = argv["all-threads"] === true;
    const ended = await shell.runBounded(["gdb", ...batchArguments(subject, all)], bounds, signal);
    return await printBacktrace(ended, bounds, coredump, all);
  }
  const { program, args } = shell.terminal(["gdb", ...gdbArguments(subject)]);
  const exitCode = await interactive(program, args);
  if (exitCode !== 0) throw new DumpError("UNEXPECTED", `gdb in the cluster ended with ${exitCode}`);
}

/** By digest, where that is one that registries know; else by the name that the container gave. */
async function podWith(
  argv: Parsed,
  { http, namespace }: Session,
  coredump: Coredump,
  wish: Pick<Wish, "gdbImage" | "coreBytes">,
  signal: AbortSignal,
): Promise<DebugPod> {
  const patienceMs = parseDurationMs(String(argv["pod-timeout"]));
  if (patienceMs === undefined)
    throw new DumpError("USAGE", `Cannot use --pod-timeout=${argv["pod-timeout"]}: not a duration such as 2m`);
  const { image: name, imageDigest: digest } = coredump.spec;
  const image: ImageRef = {
    name: (argv["image"] as string | undefined) ?? name,
    digest: argv["image"] === undefined ? digest : undefined,
  };
  const { pullSecrets, imageId } = await crashedPod(http, coredump);
  let failure: unknown = new DumpError("TOOL_MISSING", "Cannot debug in the cluster: the Coredump names no image", {
    hint: "--image",
  });
  for (const reference of pullableReferences(image, imageId)) {
    say(`Starting a pod with ${printable(wish.gdbImage)} beside ${printable(reference)}`);
    const body = podFor(coredump, { ...wish, reference, pullSecrets });
    try {
      return await startPod(http, namespace, body, patienceMs, say, signal);
    } catch (error) {
      if (!(error instanceof DumpError) || error.code !== "TOOL_MISSING") throw error;
      failure = error;
    }
  }
  throw failure;
}

/** @returns what the core had mapped */
async function copied(shell: PodShell, download: DownloadOrder): Promise<readonly MappedFile[]> {
  const head: Buffer[] = [];
  let headBytes = 0;
  const passing = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of streamed(download)) {
      if (headBytes < HEAD_BYTES) head.push(chunk);
      headBytes += chunk.length;
      yield chunk;
    }
  };
  await shell.putCore(passing(), download.signal);
  const mapped = mappedFiles(readerOf(Buffer.concat(head)));
  if (!mapped.ok) throw new DumpError("CORE_UNREADABLE", `Cannot debug this core: ${mapped.why}`);
  return mapped.files;
}

/** Its path in the image, where the image has the very build that crashed. */
async function executableOf(
  shell: PodShell,
  coredump: Coredump,
  mapped: readonly MappedFile[],
  signal: AbortSignal,
): Promise<string> {
  const wanted = mapped.find(({ isExecutable }) => isExecutable);
  const path = wanted?.path ?? coredump.spec.exe ?? "";
  if (!isPlain(path)) throw refuse(coredump, false);
  const head = await shell.head(`${SYSROOT}${path}`, FILE_HEAD_BYTES, signal);
  if (head.length === 0) throw refuse(coredump, false);
  if (wanted?.buildId !== undefined && wanted.buildId !== buildIdOf(readerOf(head))) throw refuse(coredump, true);
  return path;
}
