import { lstatSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { Node, PathParts, Tree } from "./tree.ts";

/** A folder that somebody unpacked or mounted. Nobody else is to change it meanwhile. */
export class FolderTree implements Tree {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  look(parts: PathParts): Node | undefined {
    const path = join(this.#root, ...parts);
    const there = attempt(() => lstatSync(path, { throwIfNoEntry: false }));
    if (there?.isFile()) return { kind: "file", path, own: false };
    if (there?.isSymbolicLink()) return { kind: "link", to: attempt(() => readlinkSync(path)) ?? "" };
    return there?.isDirectory() ? { kind: "folder" } : undefined;
  }

  names(parts: PathParts): readonly string[] {
    return attempt(() => readdirSync(join(this.#root, ...parts))) ?? [];
  }
}

/** What cannot be looked at is not there. */
function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}
