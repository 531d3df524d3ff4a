/** What the copying's tests read from and write into. */
import { execFileSync, spawn } from "node:child_process";
import { closeSync, fstatSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CorePipe } from "../../../src/node/kernel/pipe.ts";
import { type Allowance, PAGE_BYTES, SparseFile } from "../../../src/node/kernel/sparse-file.ts";
import { tempDir } from "../../support/tmp.ts";

export const page = (fill: number): Buffer => Buffer.alloc(PAGE_BYTES, fill);

export interface TestFile extends Disposable {
  readonly file: SparseFile;
  /** As a reader sees them. */
  readonly bytes: Buffer;
  readonly heldBytes: number;
}

/** A sparse file of its own; or over one that is there already. */
export function testFile(allowance: Allowance = () => undefined, existing?: string): TestFile {
  const dir = tempDir();
  const path = existing ?? join(dir.path, "core");
  const fd = openSync(path, existing === undefined ? "wx+" : "r+");
  return {
    file: new SparseFile(fd, allowance),
    get bytes() {
      return readFileSync(path);
    },
    get heldBytes() {
      return fstatSync(fd).blocks * 512;
    },
    [Symbol.dispose]() {
      closeSync(fd);
      dir[Symbol.dispose]();
    },
  };
}

export interface TestStream extends Disposable {
  readonly pipe: CorePipe;
}

/** A stream of these bytes. A file serves as well as a pipe does, because it is only ever read on. */
export function streamOf(bytes: Uint8Array): TestStream {
  using dir = tempDir();
  writeFileSync(join(dir.path, "core"), bytes);
  const pipe = new CorePipe(openSync(join(dir.path, "core"), "r"));
  return { pipe, [Symbol.dispose]: () => pipe.release() };
}

/** The same through a real pipe, in pieces of `pieceBytes`. */
export function pipeOf(bytes: Uint8Array, pieceBytes: number): TestStream {
  const dir = tempDir();
  const [core, fifo] = ["core", "fifo"].map((name) => join(dir.path, name)) as [string, string];
  writeFileSync(core, bytes);
  execFileSync("mkfifo", [fifo]);
  const writer = spawn("dd", [`if=${core}`, `of=${fifo}`, `bs=${pieceBytes}`], { stdio: "ignore" });
  const pipe = new CorePipe(openSync(fifo, "r"));
  return {
    pipe,
    [Symbol.dispose]() {
      pipe.release();
      writer.kill("SIGKILL");
      dir[Symbol.dispose]();
    },
  };
}

export interface TestProcess extends Disposable {
  readonly pid: number;
}

/** A stopped process: its memory holds still, as a crashed one's does. */
export async function stopped(): Promise<TestProcess> {
  const child = spawn("sh", ["-c", "kill -STOP $$"], { stdio: "ignore" });
  const pid = child.pid ?? 0;
  while (!/^State:\tT/m.test(readFileSync(`/proc/${pid}/status`, "latin1"))) await new Promise(setImmediate);
  return { pid, [Symbol.dispose]: () => void child.kill("SIGKILL") };
}
