/** `debug` on this machine: the core is downloaded, the image's files come from a folder or an engine. */
import { closeSync, existsSync, mkdirSync, mkdtempDisposableSync, openSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileReader } from "../../crash/elf/file-reader.ts";
import { type MappedFile, mappedFiles } from "../../crash/process/mapped.ts";
import { DumpError } from "../../domain/failures.ts";
import { printable } from "../../domain/text.ts";
import type { Coredump } from "../../kube/coredump.ts";
import { type OpenedImage, openImage } from "../client/debug/engine.ts";
import { FolderTree } from "../client/debug/folder-tree.ts";
import { batchArguments, gdbArguments, gdbHere, interactive } from "../client/debug/gdb.ts";
import { runBounded } from "../client/debug/tool.ts";
import { type View, viewOf } from "../client/debug/view.ts";
import { PartFile } from "../client/part-file.ts";
import type { Session } from "../client/session.ts";
import type { Parsed } from "../commands/flags.ts";
import { say } from "../output/print.ts";
import { boundsIn, printBacktrace, refuse } from "./debug-output.ts";
import { fill, sealed } from "./download.ts";
import { downloadable, openCore, sha256Of } from "./dump.ts";
import { theDump } from "./select.ts";

/** @throws DumpError; whatever ends it, nothing of it stays */
export async function debugHere(argv: Parsed, ours: Session, signal: AbortSignal): Promise<void> {
  const gdb = gdbHere(argv["gdb"] as string | undefined); // before anything is fetched for it
  const bounds = boundsIn(argv);
  using scratch = mkdtempDisposableSync(join(tmpdir(), "kubectl-coredump-"));
  const folder = (name: string): string => {
    mkdirSync(join(scratch.path, name), { mode: 0o700 });
    return join(scratch.path, name);
  };
  const { coredump, core } = await coreOf(argv, ours, join(folder("core"), "core"), signal);
  await using image = await imageOf(argv, coredump, folder("image"), signal);
  const view = viewOf(image.tree, mappedIn(core, coredump.spec.exe), folder("view"));
  tell(view);
  if (view.executable === undefined) throw refuse(coredump, view.isOtherBuild);
  const subject = {
    executable: view.executable,
    core,
    sysroot: view.folder,
    folders: view.folders,
    debuginfod: argv["debuginfod"] === true,
  };
  if (argv["print-backtrace"] === true) {
    const all = argv["all-threads"] === true;
    const ended = await runBounded(gdb, batchArguments(subject, all), bounds, signal, view.folder);
    return await printBacktrace(ended, bounds, coredump, all);
  }
  const exitCode = await interactive(gdb, gdbArguments(subject), view.folder);
  if (exitCode !== 0) throw new DumpError("UNEXPECTED", `${gdb} ended with ${exitCode}`);
}

/** Downloaded, unless it is here already. */
async function coreOf(
  argv: Parsed,
  ours: Session,
  path: string,
  signal: AbortSignal,
): Promise<{ coredump: Coredump; core: string }> {
  const name = String(argv["name"]);
  const here = argv["core"];
  if (here !== undefined) {
    const core = resolve(String(here));
    if (!existsSync(core)) throw new DumpError("USAGE", `Cannot open ${core}: it is not there`);
    return { coredump: await theDump(ours, name), core };
  }
  const coredump = await downloadable(ours, name);
  const remote = await openCore(ours, coredump, signal);
  using part = new PartFile(path, remote);
  await fill(part, remote, signal);
  await sealed(part, { remote, sha256: sha256Of(coredump), signal }, false);
  return { coredump, core: path };
}

async function imageOf(argv: Parsed, { spec }: Coredump, folder: string, signal: AbortSignal): Promise<OpenedImage> {
  const named = argv["sysroot"];
  if (named === undefined) return await openImage({ name: spec.image, digest: spec.imageDigest }, folder, say, signal);
  const root = resolve(String(named));
  if (!existsSync(root)) throw new DumpError("USAGE", `Cannot use --sysroot ${root}: it is not there`);
  return { tree: new FolderTree(root), [Symbol.asyncDispose]: async () => undefined };
}

/** @param exe  the executable, where the core does not tell which it was */
function mappedIn(core: string, exe: string | undefined): readonly MappedFile[] {
  const fd = openSync(core, "r");
  try {
    const mapped = mappedFiles(fileReader(fd));
    if (!mapped.ok) throw new DumpError("CORE_UNREADABLE", `Cannot debug this core: ${mapped.why}`);
    if (exe === undefined || mapped.files.some(({ isExecutable }) => isExecutable)) return mapped.files;
    return [...mapped.files, { path: exe, isElf: undefined, buildId: undefined, isExecutable: true }];
  } finally {
    closeSync(fd);
  }
}

/** Frames in what is missing have no names. */
function tell({ missing, others }: View): void {
  if (missing.length > 0) say(`warning: not in the image, so without symbols: ${missing.map(printable).join(", ")}`);
  if (others.length > 0) say(`warning: another build in the image, so left out: ${others.map(printable).join(", ")}`);
}
