/** A line on the terminal that shows how far a long command has come. */
import { formatBytes } from "../../domain/units.ts";

const REDRAW_MS = 100;
const BAR_COLUMNS = 30;

/** How far a long copy is: a bar on stderr, on a terminal only, gone when it ends. */
export class ProgressBar implements Disposable {
  readonly #totalBytes: number;
  readonly #shown = process.stderr.isTTY === true;
  #drawnAtMs = performance.now(); // so a short copy draws nothing

  constructor(totalBytes: number) {
    this.#totalBytes = totalBytes;
  }

  at(doneBytes: number): void {
    const nowMs = performance.now();
    if (!this.#shown || nowMs - this.#drawnAtMs < REDRAW_MS) return;
    this.#drawnAtMs = nowMs;
    const share = Math.min(1, doneBytes / Math.max(1, this.#totalBytes));
    const bar = "█".repeat(Math.round(share * BAR_COLUMNS)).padEnd(BAR_COLUMNS, "░");
    const figures = `${formatBytes(doneBytes)} of ${formatBytes(this.#totalBytes)}`;
    process.stderr.write(`\r${bar} ${Math.floor(share * 100)} %  ${figures}\x1b[K`);
  }

  [Symbol.dispose](): void {
    if (this.#shown) process.stderr.write("\r\x1b[K");
  }
}
