/** A program that crashes in a library of its own, its core, and an image that it may have come from; all of it gone with the scope. */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { type TempDir, tempDir } from "../../support/tmp.ts";

const PROGRAM = "int crash_in_library(int); int main(void) { return crash_in_library(7); }";
const LIBRARY =
  "int crash_in_library(int depth) { if (depth) return crash_in_library(depth - 1) + 1; *(volatile int *)0xdead = 1; return 0; }";

/** Its thread's place in the list of threads leads to itself: what walks that list comes to no end. */
const SCRIBBLED = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
static void *scribbling(void *arg) {
  uint32_t *list = dlsym(RTLD_DEFAULT, "_thread_db_pthread_list"); /* bits, elements, offset */
  if (!list) abort();
  void **own = (void **)((char *)pthread_self() + list[2]);
  own[0] = own[1] = own;
  *(volatile int *)0xdead = 1;
  return arg;
}
int main(void) {
  pthread_t thread;
  pthread_create(&thread, 0, scribbling, 0);
  pthread_join(thread, 0);
  return 1;
}`;

export interface Crashing extends Disposable {
  readonly core: Buffer;
  /** Of the executable, as the kernel saw it. It is no longer there. */
  readonly exe: string;
  /** The image's files as a folder: the program and its library under the paths they had. */
  readonly image: string;
  readonly folder: TempDir;
  /** Paths in the image. */
  readonly library: string;
}

/** Needs gcc and gdb. The core is gdb's own: of the kernel's those of real crashes are (test/e2e). */
export function crashing(): Crashing {
  const folder = tempDir();
  const [app, image] = [join(folder.path, "app"), join(folder.path, "image")];
  mkdirSync(app);
  writeFileSync(join(app, "program.c"), PROGRAM);
  writeFileSync(join(app, "library.c"), LIBRARY);
  const gcc = (...args: string[]): unknown =>
    execFileSync("gcc", ["-g", "-O0", "-Wl,--build-id", ...args], { cwd: app });
  gcc("-shared", "-fPIC", "-Wl,-soname,libcrash.so.1", "-o", "libcrash.so.1.0", "library.c");
  symlinkSync("libcrash.so.1.0", join(app, "libcrash.so.1"));
  gcc("-o", "server", "program.c", "./libcrash.so.1.0", "-Wl,-rpath,$ORIGIN");
  const core = coreOf(app, "server");
  for (const scrap of ["core", "program.c", "library.c"]) rmSync(join(app, scrap));
  mkdirSync(join(image, dirname(app)), { recursive: true });
  cpSync(app, join(image, app), { recursive: true, verbatimSymlinks: true });
  renameSync(app, `${app}.gone`);
  const [exe, library] = [join(app, "server"), join(app, "libcrash.so.1.0")];
  return { core, exe, image, folder, library, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

function coreOf(folder: string, program: string): Buffer {
  const commands = ["run", "generate-core-file core"].flatMap((command) => ["-ex", command]);
  const settings = ["-iex", "set libthread-db-search-path /dev/null"];
  execFileSync("gdb", ["-nx", "-batch", ...settings, ...commands, `./${program}`], { cwd: folder, stdio: "ignore" });
  return readFileSync(join(folder, "core"));
}

/** A program that wrote over its own thread structures before it crashed; its image has the C library, as real ones do. */
export function scribbled(): Omit<Crashing, "library"> {
  const folder = tempDir();
  const [exe, image] = [join(folder.path, "scribbled"), join(folder.path, "image")];
  writeFileSync(`${exe}.c`, SCRIBBLED);
  execFileSync("gcc", ["-g", "-O0", "-Wl,--build-id", "-pthread", "-o", exe, `${exe}.c`, "-ldl"]);
  const libraries = execFileSync("ldd", [exe], { encoding: "utf8" }).match(/\/\S+/g) ?? [];
  mkdirSync(image);
  execFileSync("cp", ["--parents", exe, ...libraries.map((library) => realpathSync(library)), image]);
  for (const name of ["lib", "lib64"].filter((name) => lstatSync(`/${name}`).isSymbolicLink()))
    symlinkSync(`usr/${name}`, join(image, name));
  return {
    core: coreOf(folder.path, "scribbled"),
    exe,
    image,
    folder,
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}
