/** A folder with an image's files, unpacked or mounted; nothing else may change it meanwhile. */
import { lstatSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { ifPossible } from "../../../domain/failures.ts";
import type { Node, PathParts, Tree } from "./tree.ts";

export class FolderTree implements Tree {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  look(parts: PathParts): Node | undefined {
    const path = join(this.#root, ...parts);
    const there = ifPossible(() => lstatSync(path, { throwIfNoEntry: false }));
    if (there?.isFile()) return { kind: "file", path, own: false };
    if (there?.isSymbolicLink()) return { kind: "link", to: ifPossible(() => readlinkSync(path)) ?? "" };
    return there?.isDirectory() ? { kind: "folder" } : undefined;
  }

  names(parts: PathParts): readonly string[] {
    return ifPossible(() => readdirSync(join(this.#root, ...parts))) ?? [];
  }
}
