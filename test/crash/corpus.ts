/** Builds the corpus and lets it crash: each core lies beside its program. Kept by the content of its sources and builds. */
import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { TESTBED } from "../support/paths.ts";
import { withPattern } from "../support/pattern.ts";
import { BUILDS, type Build, type Case } from "./cases.ts";

const PROGRAMS = join(import.meta.dirname, "programs");
const exec = promisify(execFile);

export interface Crashed {
  readonly build: Build;
  readonly case: Case;
  /** Before it was stripped: the one with names. */
  readonly named: string;
  readonly core: string;
}

/** All crashes of the builds, made where they are not there yet. Needs root, for the kernel's pattern. */
export async function corpus(builds: readonly Build[] = BUILDS): Promise<Crashed[]> {
  const folders = await Promise.all(builds.map(compiled));
  const crashed = builds.flatMap((build, i) =>
    build.cases.filter(({ how }) => !build.except?.[how]).map((each) => crashIn(build, each, folders[i] ?? "")),
  );
  const missing = crashed.filter(({ core }) => !existsSync(core));
  if (missing.length > 0) await withPattern("core", async () => missing.forEach(crash));
  return crashed;
}

const crashIn = (build: Build, each: Case, folder: string): Crashed => ({
  build,
  case: each,
  named: join(folder, "named"),
  core: join(folder, each.how, "the.core"),
});

async function compiled(build: Build): Promise<string> {
  const key = createHash("sha256")
    .update(JSON.stringify([build.command, build.after]))
    .update(readFileSync(join(PROGRAMS, build.source)));
  const folder = join(TESTBED, "corpus", `${build.name}-${key.digest("hex").slice(0, 12)}`);
  if (existsSync(folder)) return folder;
  const part = `${folder}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  const [command = "", ...flags] = build.command;
  await exec(command, [...flags, "-o", join(part, "program"), join(PROGRAMS, build.source)], { cwd: part });
  await exec("cp", ["-p", join(part, "program"), join(part, "named")]);
  const [after, ...words] = build.after ?? [];
  if (after)
    await exec(
      after,
      words.map((word) => word.replaceAll("{}", join(part, "program"))),
      { cwd: part },
    );
  renameSync(part, folder);
  return folder;
}

/** A small stack, so that its overflow makes a small core. */
function crash({ build, core, named, case: { how } }: Crashed): void {
  const folder = join(core, "..");
  mkdirSync(folder, { recursive: true });
  const ended = spawnSync(
    "sh",
    [
      "-c",
      'ulimit -c unlimited; ulimit -s 1024; exec "$@"',
      "sh",
      ...(build.emulator ? [build.emulator] : []),
      join(named, "../program"),
      how,
    ],
    {
      cwd: folder,
      timeout: 20_000,
      env: { ...process.env, GOTRACEBACK: "crash" },
      stdio: "ignore",
    },
  );
  // An emulator's own core lies beside its program's.
  const made = readdirSync(folder).find((name) => name.startsWith(build.emulator ? "qemu_" : "core"));
  if (!made) throw new Error(`${named} ${how} left no core: ${ended.signal ?? ended.status}`);
  closeSync(openSync(join(folder, made), "r+"));
  renameSync(join(folder, made), core);
}
