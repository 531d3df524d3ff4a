/**
 * Dumps that the kernel gave up without calling us: a record for each line in its log, `Lost`. The log is a ring and its
 * lines are rate-limited, so they are the least there were.
 */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { blankRecord } from "../../domain/dump.ts";
import { errnoOf, ifPossible } from "../../domain/failures.ts";
import { recordOnDisk, writeRecord } from "../../node/cache/record.ts";
import type { Spool } from "../../node/cache/spool.ts";
import { SystemLog } from "../../node/kernel/klog.ts";
import { type KernelLog, type KernelRefusal, Kmsg } from "../../node/kernel/kmsg.ts";
import { replaceSync } from "../../system/durable.ts";
import { readSmall } from "../../system/small-file.ts";

/** `<dump-dir>/.kmsg`: up to which line of which boot the log was read, by number and by the log's clock. */
interface LogCursor {
  readonly boot: string;
  readonly seq: number;
  /** Absent in those of earlier versions. */
  readonly usec?: number;
}

export interface LostWorld extends Disposable {
  readonly boot: string;
  /** What has come since the last time; at first all that the log has. */
  readonly read: () => KernelLog;
}

/** The log by its device, or, where that is not to be had, by syslog(2). @throws the errno of syslog(2): EPERM, ENOSYS */
export function thisKernel(device?: string): LostWorld {
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  const log = byDevice(device) ?? new SystemLog();
  return { boot, read: () => log.read(), [Symbol.dispose]: () => log instanceof Kmsg && log[Symbol.dispose]() };
}

const byDevice = (device: string | undefined): Kmsg | undefined => ifPossible(() => new Kmsg(device)); // as in most containers

/**
 * Records what is new. At the very first time nothing is: what was lost before there was an agent is not ours to tell.
 * @returns ids of the records made
 */
export async function recordLost(
  spool: Spool,
  node: string,
  { boot, read }: Pick<LostWorld, "boot" | "read">,
): Promise<string[]> {
  const path = join(spool.dir, ".kmsg");
  const { refusals, incomplete } = read();
  if (refusals.length === 0 && existsSync(path)) return []; // as nearly always
  const cursor = cursorIn(path);
  const made: string[] = [];
  for (const refusal of refusals.filter((each) => isNew(each, cursor, boot))) {
    const id = await recordOne(spool, node, boot, refusal, incomplete);
    if (id) made.push(id);
  }
  const next = further(cursor?.boot === boot ? cursor : { boot, seq: -1 }, refusals);
  if (JSON.stringify(cursor) !== JSON.stringify(next)) replaceSync(path, Buffer.from(JSON.stringify(next)));
  return made;
}

/** Without a cursor nothing is: what was lost before there was an agent. */
function isNew({ seq, uptimeUsec }: KernelRefusal, cursor: LogCursor | undefined, boot: string): boolean {
  if (cursor?.boot !== boot) return cursor !== undefined;
  return seq === null ? uptimeUsec > (cursor.usec ?? Number.POSITIVE_INFINITY) : seq > cursor.seq;
}

/** Lines from one source move what they can: by the other one these are not reported again. */
function further({ boot, seq, usec = -1 }: LogCursor, refusals: readonly KernelRefusal[]): LogCursor {
  return {
    boot,
    seq: Math.max(seq, ...refusals.map((each) => each.seq ?? -1)),
    usec: Math.max(usec, ...refusals.map(({ uptimeUsec }) => uptimeUsec)),
  };
}

async function recordOne(spool: Spool, node: string, boot: string, refusal: KernelRefusal, incomplete: boolean) {
  const { time, comm, text, hostPid, pid, cause } = refusal;
  const entry = spool.entry(idOf(time, `${boot} ${refusal.seq ?? `at ${refusal.uptimeUsec}`}`));
  if (existsSync(entry.dir)) return undefined; // recorded, but killed before the cursor moved
  mkdirSync(entry.dir, { mode: 0o700 });
  writeRecord(entry, {
    ...blankRecord(entry.id, time, node),
    state: "Lost",
    reason: "KernelGaveUp",
    message: `${cause}: ${text}`.slice(0, 1000),
    hostPid: hostPid ?? 0,
    containerPid: pid,
    comm,
    executable: comm ?? "unknown",
    warnings: incomplete ? ["the kernel's log left lines out: more may have been lost"] : [],
  });
  await recordOnDisk(entry);
  return entry.id;
}

/** The same line gives the same id (UUIDv7), also when it is read again. */
function idOf(time: Date, line: string): string {
  const hex = createHash("sha256").update(line).digest("hex");
  const ms = Math.max(0, time.getTime()).toString(16).padStart(12, "0").slice(-12);
  const variant = "89ab"[Number.parseInt(hex[3] ?? "0", 16) % 4];
  const parts = [ms.slice(0, 8), ms.slice(8), `7${hex.slice(0, 3)}`, `${variant}${hex.slice(4, 7)}`, hex.slice(8, 20)];
  return parts.join("-");
}

function cursorIn(path: string): LogCursor | undefined {
  try {
    const { boot, seq, usec } = JSON.parse(readSmall(path).toString("utf8")) as Partial<LogCursor>;
    if (typeof boot !== "string" || typeof seq !== "number") return undefined;
    return typeof usec === "number" ? { boot, seq, usec } : { boot, seq };
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
