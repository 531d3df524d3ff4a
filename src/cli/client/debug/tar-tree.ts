/**
 * A tar of an image's file system. Its names are never made on the disk: ELF files lie in a folder of ours under numbers, links
 * and names are kept in memory. So there is nothing that a name with `..`, a link before its target or a device could do.
 */
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract } from "tar-stream";
import { DumpError } from "../../../domain/failures.ts";
import type { Node, PathParts, Tree } from "./tree.ts";

const ELF = Buffer.from("\x7fELF", "latin1");
/** Of anything; an image with more is none that we read. */
const MAX_ENTRIES = 5_000_000;

interface TreeFolder {
  readonly kind: "folder";
  readonly entries: Map<string, TreeFolder | Node>;
}

export class TarTree implements Tree {
  readonly #root: TreeFolder = { kind: "folder", entries: new Map() };

  /**
   * @param tar     of one file system, layers applied
   * @param folder  empty, for the ELF files
   */
  static async read(tar: Readable, folder: string): Promise<TarTree> {
    const tree = new TarTree();
    const entries = extract();
    const reading = pipeline(tar, entries);
    reading.catch(() => undefined); // reported by the loop
    let count = 0;
    for await (const entry of entries) {
      const { type, name, linkname } = entry.header;
      if (++count > MAX_ENTRIES) throw new DumpError("TOOL_MISSING", "Cannot read the image: it has too many files");
      const file = type === "file" ? await kept(entry as AsyncIterable<Buffer>, join(folder, `${count}`)) : undefined;
      if (file) tree.#put(name, file);
      else if (type === "directory") tree.#folder(partsOf(name));
      else if (type === "symlink") tree.#put(name, { kind: "link", to: linkname ?? "" });
      else if (type === "link") tree.#put(name, tree.look(partsOf(linkname ?? "")));
      entry.resume();
    }
    await reading;
    return tree;
  }

  look(parts: PathParts): Node | undefined {
    let at: TreeFolder | Node | undefined = this.#root;
    for (const part of parts) at = at && "entries" in at ? at.entries.get(part) : undefined;
    return at;
  }

  names(parts: PathParts): readonly string[] {
    const there = this.look(parts);
    return there && "entries" in there ? [...(there as TreeFolder).entries.keys()] : [];
  }

  #put(name: string, node: Node | undefined): void {
    const parts = partsOf(name);
    const last = parts.at(-1);
    if (last !== undefined && node && node.kind !== "folder") this.#folder(parts.slice(0, -1)).entries.set(last, node);
  }

  /** Made where it is missing; what was there under the name of a folder gives way. */
  #folder(parts: PathParts): TreeFolder {
    let at = this.#root;
    for (const part of parts) {
      const there = at.entries.get(part);
      const next: TreeFolder = there && "entries" in there ? there : { kind: "folder", entries: new Map() };
      at.entries.set(part, next);
      at = next;
    }
    return at;
  }
}

/** `..` goes nowhere. */
const partsOf = (name: string): PathParts =>
  name.split("/").filter((part) => part !== "" && part !== "." && part !== "..");

/** Its bytes in a file of ours, if it is one that a debugger can read. */
async function kept(content: AsyncIterable<Buffer>, path: string): Promise<Node | undefined> {
  const chunks = content[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < ELF.length) {
    const next = await chunks.next();
    if (next.done) return undefined;
    head = Buffer.concat([head, next.value]);
  }
  if (!head.subarray(0, ELF.length).equals(ELF)) {
    for (let next = await chunks.next(); !next.done; next = await chunks.next());
    return undefined;
  }
  await pipeline(
    async function* () {
      yield head;
      for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
    },
    createWriteStream(path, { flags: "wx", mode: 0o600 }),
  );
  return { kind: "file", path, own: true };
}
