/** The files of a crashed program under one directory, opened when they are asked for. */
import { closeSync, constants, fstatSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileReader } from "../../crash/elf/file-reader.ts";
import type { Files } from "../../crash/image/modules.ts";

const DELETED = " (deleted)";

export class Sysroot implements Disposable {
  readonly #root: string;
  readonly #open: number[] = [];

  constructor(root: string) {
    this.#root = root;
  }

  readonly file: Files = ({ path }) => {
    const fd = this.#opened(path);
    if (fd !== undefined) return fileReader(fd);
    return path.endsWith(DELETED) ? "deleted" : "notOpened";
  };

  #opened(path: string): number | undefined {
    // The name holds raw bytes, which a core chose: opening a device may do something, opening a pipe may hang.
    const name = Buffer.from(join(this.#root, path), "latin1");
    try {
      if (!statSync(name).isFile()) return undefined;
      const fd = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
      this.#open.push(fd);
      return fstatSync(fd).isFile() ? fd : undefined;
    } catch {
      return undefined;
    }
  }

  [Symbol.dispose](): void {
    for (const fd of this.#open.splice(0)) closeSync(fd);
  }
}
