/** The last lines that a container wrote, out of its log file on the node. */
import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync } from "node:fs";
import { DumpError, reasonOf } from "../../domain/failures.ts";
import { textOf } from "../../domain/text.ts";
import { parsed, textAt } from "./json.ts";

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const MAX_BYTES = 1 << 20;

/**
 * The last `maxLines` lines of a log in the CRI's format or in that of Docker's json-file driver, each as
 * `<time> <stream> <text>`; only the file's last MiB is read.
 *
 * @param logPath as the run-time stated it. A pod with the node's log directory mounted can lay links there: neither the
 *        file nor its folder may be one.
 * @throws DumpError RUNTIME_ANSWER_INVALID when that is no such file, RUNTIME_UNAVAILABLE when it cannot be read
 */
export function logTail(logPath: string, maxLines: number): string[] {
  if (maxLines <= 0) return [];
  const { bytes, cut } = readTail(logPath);
  const lines = splitLines(bytes);
  if (cut) lines.shift();
  return joined(lines.map(entryOf)).slice(-maxLines);
}

function readTail(path: string): { bytes: Buffer; cut: boolean } {
  let fd: number | undefined;
  try {
    fd = openSync(path, FLAGS);
    const stat = fstatSync(fd);
    if (!stat.isFile() || !isPlaceOf(path, readlinkSync(`/proc/self/fd/${fd}`))) {
      throw new DumpError("RUNTIME_ANSWER_INVALID", `Cannot read log ${path}: it is not the file of that path`);
    }
    const start = Math.max(0, stat.size - MAX_BYTES);
    const buffer = Buffer.alloc(Math.min(stat.size, MAX_BYTES));
    return { bytes: buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, start)), cut: start > 0 };
  } catch (error) {
    if (error instanceof DumpError) throw error;
    throw new DumpError("RUNTIME_UNAVAILABLE", `Cannot read log ${path}: ${reasonOf(error)}`, { cause: error });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** The same last three names (pod, container, attempt): an administrator may have moved the log directory, but not those. */
function isPlaceOf(stated: string, opened: string): boolean {
  const tail = (path: string): string => path.split("/").filter(Boolean).slice(-3).join("/");
  return tail(stated) === tail(opened);
}

function splitLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let from = 0; from < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, from);
    const to = newline < 0 ? bytes.length : newline;
    lines.push(bytes.subarray(from, to));
    from = to + 1;
  }
  return lines;
}

interface LogEntry {
  readonly head: string;
  readonly text: string;
  /** The line goes on in the stream's next entry. */
  readonly partial: boolean;
}

const CRI_LINE = /^(\d{4}-\S{1,40}) (stdout|stderr) ([FP])(?::\S*)? /;

/** A line in neither format is kept as it is. */
function entryOf(line: Buffer): LogEntry {
  const [prefix, time, stream, tag] = CRI_LINE.exec(line.toString("latin1", 0, 64)) ?? [];
  if (prefix) return { head: `${time} ${stream}`, text: textOf(line.subarray(prefix.length)), partial: tag === "P" };
  const json = line[0] === 0x7b ? parsed(textOf(line)) : undefined;
  const [text, docker] = [textAt(json, "log"), `${textAt(json, "time")} ${textAt(json, "stream")}`];
  if (text === null) return { head: "", text: textOf(line), partial: false };
  return { head: docker, text: text.replace(/\n$/, ""), partial: !text.endsWith("\n") };
}

/** Long lines come in parts (16 kB): one line again, with the time of its first part. The streams may be interleaved. */
function joined(entries: readonly LogEntry[]): string[] {
  const lines: string[] = [];
  const open = new Map<string, number>();
  for (const { head, text, partial } of entries) {
    const stream = head.slice(head.indexOf(" ") + 1);
    const line = open.get(stream);
    if (line === undefined) lines.push(head === "" ? text : `${head} ${text}`);
    else lines[line] += text;
    if (partial) open.set(stream, line ?? lines.length - 1);
    else open.delete(stream);
  }
  return lines;
}
