/**
 * What gdb gets to see of an image: a folder of ours with the ELF files that the core had mapped, under the names that it will look
 * for, and nothing else. Every link in it was resolved before, within the image.
 */

import { closeSync, constants, linkSync, mkdirSync, openSync, symlinkSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { buildIdOf } from "../../../crash/elf/build-id.ts";
import { fileReader } from "../../../crash/elf/file-reader.ts";
import { ELF_HEADER_BYTES, parseElf } from "../../../crash/elf/header.ts";
import type { MappedFile } from "../../../crash/process/mapped.ts";
import { ifPossible } from "../../../domain/failures.ts";
import { type FoundPath, resolved, type Tree } from "./tree.ts";

export interface View {
  readonly folder: string;
  /** As gdb is to open it; undefined: the image does not have it, or has another build. */
  readonly executable: string | undefined;
  /** The executable is there, and is not the one that crashed. */
  readonly isOtherBuild: boolean;
  /** Paths that the core had mapped and the image does not have. */
  readonly missing: readonly string[];
  /** Paths under which the image has another build than the one that crashed. */
  readonly others: readonly string[];
  /** Folders in it with files, for libraries that are asked for by another way than the kernel took. */
  readonly folders: readonly string[];
}

type TreeFile = NonNullable<FoundPath["file"]>;

/** What gdb may be given in a command; others get no symbols. */
const PLAIN = /^\/[\w.+@=,~-][\w.+@=,~/ -]*$/;
const NOT_FILES = /^\/(dev|proc|sys|memfd:|SYSV|anon_hugepage|\[)| \(deleted\)$/;
/** A folder with more names is not searched for links to what is in it. */
const MAX_NAMES = 20_000;

/** @param folder ours, empty */
export function viewOf(tree: Tree, mapped: readonly MappedFile[], folder: string): View {
  const [missing, others, folders]: [string[], string[], Set<string>] = [[], [], new Set()];
  let [executable, isOtherBuild]: [string | undefined, boolean] = [undefined, false];
  const links = new Links(tree);
  linkTopFolders(tree, folder);
  for (const wanted of mapped) {
    if (wanted.isElf === false || !isPlain(wanted.path) || NOT_FILES.test(wanted.path)) continue;
    const found = resolved(tree, wanted.path);
    if (!found?.file) {
      if (wanted.isElf) missing.push(wanted.path);
      continue;
    }
    const { isElf, buildId } = looked(found.file.path);
    if (!isElf) continue;
    if (wanted.buildId !== undefined && wanted.buildId !== buildId) {
      others.push(wanted.path);
      isOtherBuild ||= wanted.isExecutable;
      continue;
    }
    for (const path of [wanted.path, ...links.to(wanted.path, found)]) place(folder, path, found.file);
    placeDebugFiles(tree, wanted.path, buildId, folder);
    folders.add(dirname(wanted.path));
    if (wanted.isExecutable) executable = join(folder, wanted.path);
  }
  return { folder, executable, isOtherBuild, missing, others, folders: [...folders].map((each) => join(folder, each)) };
}

/** Whether gdb can be given it, and it is what it seems. */
export const isPlain = (path: string): boolean => PLAIN.test(path) && !path.split("/").includes("..");

/** `/lib` and its like: programs ask for libraries by them, the kernel says where those really are. */
function linkTopFolders(tree: Tree, folder: string): void {
  for (const name of tree.names([])) {
    if (!isPlain(`/${name}`) || tree.look([name])?.kind !== "link") continue;
    const found = resolved(tree, `/${name}`);
    if (!found || found.file || found.parts.length === 0) continue;
    const target = join(folder, ...found.parts);
    mkdirSync(target, { recursive: true, mode: 0o700 });
    ifPossible(() => symlinkSync(relative(folder, target), join(folder, name)));
  }
}

/** `libz.so.1` beside `libz.so.1.2.13`: the name that programs ask for. Each folder is read once. */
class Links {
  readonly #tree: Tree;
  readonly #byFolder = new Map<string, ReadonlyMap<string, readonly string[]>>();

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  /** Paths of links to a file, in its own folder and in the one that it was asked for in. */
  to(path: string, { parts }: FoundPath): string[] {
    const target = parts.join("/");
    const folders = new Set([dirname(`/${target}`), dirname(path)]);
    return [...folders].flatMap((folder) => this.#in(folder).get(target) ?? []);
  }

  #in(folder: string): ReadonlyMap<string, readonly string[]> {
    const known = this.#byFolder.get(folder) ?? this.#read(folder);
    this.#byFolder.set(folder, known);
    return known;
  }

  /** Links in a folder by what they end at. */
  #read(folder: string): ReadonlyMap<string, readonly string[]> {
    const parts = resolved(this.#tree, folder)?.parts ?? [];
    const names = this.#tree.names(parts);
    if (names.length > MAX_NAMES) return new Map();
    const isLink = (name: string): boolean => this.#tree.look([...parts, name])?.kind === "link";
    const links = names.filter(isLink).map((name) => join(folder, name));
    return Map.groupBy(links.filter(isPlain), (link) => resolved(this.#tree, link)?.parts.join("/") ?? "");
  }
}

/** Separate debug information, where distributions put it. */
function placeDebugFiles(tree: Tree, path: string, buildId: string | undefined, folder: string): void {
  const byId =
    buildId === undefined ? [] : [`/usr/lib/debug/.build-id/${buildId.slice(0, 2)}/${buildId.slice(2)}.debug`];
  for (const each of [...byId, `/usr/lib/debug${path}.debug`]) {
    const found = resolved(tree, each);
    if (found?.file && looked(found.file.path).isElf) place(folder, each, found.file);
  }
}

function place(folder: string, path: string, { path: from, own }: TreeFile): void {
  const to = join(folder, path);
  // A hostile core's names may contradict one another (`/a`, `/a/b`): the first counts.
  ifPossible(() => {
    mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
    if (own) linkSync(from, to);
    else symlinkSync(from, to);
  });
}

function looked(path: string): { readonly isElf: boolean; readonly buildId: string | undefined } {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return { isElf: false, buildId: undefined };
  }
  try {
    const read = fileReader(fd);
    return { isElf: parseElf(read(0n, ELF_HEADER_BYTES)) !== undefined, buildId: buildIdOf(read) };
  } finally {
    closeSync(fd);
  }
}
