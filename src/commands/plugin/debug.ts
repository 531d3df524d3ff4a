import { closeSync, existsSync, mkdirSync, mkdtempDisposableSync, openSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { CommandModule } from "yargs";
import { DumpError } from "../../domain/failures.ts";
import { printable } from "../../domain/text.ts";
import { fileReader } from "../../elf/file-reader.ts";
import { mappedFiles } from "../../elf/mapped.ts";
import { type Opened, openImage } from "../../plugin/debug/engine.ts";
import { FolderTree } from "../../plugin/debug/folder-tree.ts";
import {
  backtraceIn,
  batchArguments,
  gdbArguments,
  gdbHere,
  interactive,
  type Subject,
} from "../../plugin/debug/gdb.ts";
import { run } from "../../plugin/debug/tool.ts";
import { type View, viewOf } from "../../plugin/debug/view.ts";
import type { Coredump } from "../../plugin/objects.ts";
import { Remote } from "../../plugin/remote.ts";
import type { Session } from "../../plugin/session.ts";
import type { Parsed } from "../flags.ts";
import { print, say } from "../output/print.ts";
import { session } from "./access.ts";
import { intoFile } from "./download.ts";
import { downloadable, sha256Of, wantedCore } from "./dump.ts";
import { interruptible } from "./interrupt.ts";
import { one } from "./select.ts";

const text = (describe: string) => ({ type: "string", requiresArg: true, describe }) as const;

export const command: CommandModule<object, Parsed> = {
  command: "debug <name>",
  describe: "open a core in gdb, with the files of the image that crashed",
  builder: (yargs) =>
    yargs
      .positional("name", { type: "string", demandOption: true, describe: "name of the Coredump" })
      .option("print-backtrace", {
        type: "boolean",
        default: false,
        describe: "print the crashed thread's backtrace, and end",
      })
      .option("all-threads", { type: "boolean", default: false, describe: "with --print-backtrace: of every thread" })
      .option("sysroot", text("folder with the image's files (default: from a local engine, by digest)"))
      .option("core", text("the core, when it is here already"))
      .option("gdb", text("the debugger to run (default: gdb)"))
      .option("debuginfod", {
        type: "boolean",
        default: false,
        describe: "let gdb ask the servers in DEBUGINFOD_URLS",
      }),
  async handler(argv) {
    using stopping = interruptible();
    const ours = await session(argv);
    await debugHere(argv, ours, stopping.signal);
  },
};

async function debugHere(argv: Parsed, ours: Session, signal: AbortSignal): Promise<void> {
  const gdb = gdbHere(argv["gdb"] as string | undefined); // before anything is fetched for it
  using scratch = mkdtempDisposableSync(join(tmpdir(), "kubectl-coredump-"));
  const folder = (name: string): string => {
    mkdirSync(join(scratch.path, name), { mode: 0o700 });
    return join(scratch.path, name);
  };
  const { coredump, core } = await coreOf(argv, ours, join(folder("core"), "core"), signal);
  await using image = await imageOf(argv, coredump, folder("image"), signal);
  const view = viewOf(image.tree, mappedIn(core), folder("view"));
  tell(view);
  const executable = view.executable ?? refuse(coredump, view);
  const subject = {
    executable,
    core,
    sysroot: view.folder,
    folders: view.folders,
    debuginfod: argv["debuginfod"] === true,
  };
  if (argv["print-backtrace"] === true)
    return await printBacktrace(gdb, subject, coredump, argv["all-threads"] === true, signal);
  await ended(gdb, await interactive(gdb, gdbArguments(subject), view.folder));
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
    return { coredump: await one<Coredump>(ours, "coredumps", name), core };
  }
  const coredump = await downloadable(ours, name);
  const remote = await Remote.open(ours.http, wantedCore(coredump), signal);
  await intoFile({ remote, sha256: sha256Of(coredump), signal }, path, false);
  return { coredump, core: path };
}

async function imageOf(argv: Parsed, { spec }: Coredump, folder: string, signal: AbortSignal): Promise<Opened> {
  const named = argv["sysroot"];
  if (named === undefined) return await openImage({ name: spec.image, digest: spec.imageDigest }, folder, say, signal);
  const root = resolve(String(named));
  if (!existsSync(root)) throw new DumpError("USAGE", `Cannot use --sysroot ${root}: it is not there`);
  return { tree: new FolderTree(root), [Symbol.asyncDispose]: async () => undefined };
}

function mappedIn(core: string) {
  const fd = openSync(core, "r");
  try {
    const mapped = mappedFiles(fileReader(fd));
    if (!mapped.ok) throw new DumpError("CORE_UNREADABLE", `Cannot debug this core: ${mapped.why}`);
    return mapped.files;
  } finally {
    closeSync(fd);
  }
}

/** Frames in what is missing have no names. */
function tell({ missing, others }: View): void {
  if (missing.length > 0) say(`warning: not in the image, so without symbols: ${missing.map(printable).join(", ")}`);
  if (others.length > 0) say(`warning: another build in the image, so left out: ${others.map(printable).join(", ")}`);
}

function refuse({ spec }: Coredump, { isOtherBuild }: View): never {
  const exe = printable(spec.exe ?? spec.filename ?? "the executable");
  const why = isOtherBuild ? "the image that is here has another build of it" : "the image does not have it";
  throw new DumpError("TOOL_MISSING", `Cannot debug without ${exe}: ${why}`, {
    hint: `Name a folder with the files of ${printable(spec.image ?? "its image")} as they were: --sysroot`,
  });
}

async function printBacktrace(gdb: string, subject: Subject, coredump: Coredump, all: boolean, signal: AbortSignal) {
  const lines = backtraceIn(await run(gdb, batchArguments(subject, all), signal, subject.sysroot));
  const crashed = coredump.status?.threads?.find((thread) => thread.crashed);
  const what = printable(coredump.spec.signal?.name ?? "an unknown signal");
  const title = all
    ? []
    : [`Thread ${crashed?.tid ?? "?"}${crashed?.name ? ` "${printable(crashed.name)}"` : ""} (crashed, ${what})`];
  await print([...title, ...lines].map((line) => `${line}\n`).join(""));
}

async function ended(gdb: string, exitCode: number): Promise<void> {
  if (exitCode !== 0) throw new DumpError("UNEXPECTED", `${gdb} ended with ${exitCode}`);
}
