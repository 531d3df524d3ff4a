/**
 * Room that is kept on a volume by a file of zeros. It is given up when the volume is full: then what is there can still be
 * deleted, and be made room of.
 */

import { closeSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { ifPossible } from "../../../domain/failures.ts";

/** Several times what a transaction over the largest object writes. */
const MOST_BYTES = 8 << 20;
/** Of a small volume, no more than this part. */
const PART = 8;
const CHUNK = Buffer.alloc(64 << 10);
/** A volume without room is not asked again at once. */
const RETRY_MS = 1000;
const BLOCK_BYTES = 512;

export class Reserve {
  readonly #path: string;
  readonly bytes: number;
  #isThere: boolean;
  #triedMs = Number.NEGATIVE_INFINITY;

  /** @param path of the file; its folder is there */
  constructor(path: string) {
    this.#path = path;
    const { blocks, bsize } = statfsSync(dirname(path));
    this.bytes = Math.min(MOST_BYTES, Math.floor((blocks * bsize) / PART));
    this.#isThere = this.#isWhole();
  }

  get isThere(): boolean {
    return this.#isThere;
  }

  /** Makes it, where it is not there and the volume has the room. @returns whether it is there */
  keep(): boolean {
    if (this.#isThere || performance.now() - this.#triedMs < RETRY_MS) return this.#isThere;
    this.#triedMs = performance.now();
    try {
      const { bavail, bsize } = statfsSync(dirname(this.#path));
      if (bavail * bsize < this.bytes) return false;
      this.#write();
      this.#isThere = true;
    } catch {
      this.giveUp(); // no room: that is why it is missing
    }
    return this.#isThere;
  }

  giveUp(): void {
    this.#isThere = false;
    ifPossible(() => rmSync(this.#path, { force: true })); // a volume that cannot be written has no room either way
  }

  /** Whether each of its blocks has a place. */
  #isWhole(): boolean {
    const there = statSync(this.#path, { throwIfNoEntry: false });
    return there !== undefined && there.size >= this.bytes && there.blocks * BLOCK_BYTES >= this.bytes;
  }

  #write(): void {
    const fd = openSync(this.#path, "w", 0o600);
    try {
      for (let left = this.bytes; left > 0; ) left -= writeSync(fd, CHUNK, 0, Math.min(left, CHUNK.length));
      fsyncSync(fd); // some file systems find out only then
    } finally {
      closeSync(fd);
    }
  }
}
