/**
 * Dumps that the kernel gave up without calling us: a record for each line in its log, `Lost`. The log is a ring and its
 * lines are rate-limited, so they are the least there were.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { blankRecord } from "../../cache/blank.ts";
import { recordOnDisk, writeRecord } from "../../cache/record.ts";
import type { Spool } from "../../cache/spool.ts";
import { errnoOf } from "../../domain/failures.ts";
import { type KernelLog, type KernelRefusal, Kmsg } from "../../kernel/kmsg.ts";
import { replaceSync } from "../../system/durable.ts";

/** `<dump-dir>/.kmsg`: up to which line of which boot the log was read. */
interface Cursor {
  readonly boot: string;
  readonly seq: number;
}

export interface LostWorld extends Disposable {
  readonly boot: string;
  /** What has come since the last time; at first all that the log has. */
  readonly read: () => KernelLog;
}

/** @throws the errno of open(2): EPERM, or ENOENT in a container without /dev/kmsg */
export function thisKernel(): LostWorld {
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  const log = new Kmsg();
  return { boot, read: () => log.read(), [Symbol.dispose]: () => log[Symbol.dispose]() };
}

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
  const after = cursor === undefined ? Number.POSITIVE_INFINITY : cursor.boot === boot ? cursor.seq : -1;
  const made: string[] = [];
  for (const refusal of refusals.filter(({ seq }) => seq > after)) {
    const id = await recordOne(spool, node, boot, refusal, incomplete);
    if (id) made.push(id);
  }
  const seq = Math.max(cursor?.boot === boot ? cursor.seq : -1, refusals.at(-1)?.seq ?? -1);
  if (cursor?.boot !== boot || cursor.seq !== seq) replaceSync(path, Buffer.from(JSON.stringify({ boot, seq })));
  return made;
}

async function recordOne(spool: Spool, node: string, boot: string, refusal: KernelRefusal, incomplete: boolean) {
  const { time, comm, text, hostPid, pid, cause } = refusal;
  const entry = spool.entry(idOf(time, `${boot} ${refusal.seq}`));
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

/** The same line gives the same id (UUIDv7), whoever reads it again. */
function idOf(time: Date, line: string): string {
  const hex = createHash("sha256").update(line).digest("hex");
  const ms = Math.max(0, time.getTime()).toString(16).padStart(12, "0").slice(-12);
  const variant = "89ab"[Number.parseInt(hex[3] ?? "0", 16) % 4];
  return [ms.slice(0, 8), ms.slice(8), `7${hex.slice(0, 3)}`, `${variant}${hex.slice(4, 7)}`, hex.slice(8, 20)].join(
    "-",
  );
}

function cursorIn(path: string): Cursor | undefined {
  try {
    const { boot, seq } = JSON.parse(readFileSync(path, "utf8")) as Partial<Cursor>;
    return typeof boot === "string" && typeof seq === "number" ? { boot, seq } : undefined;
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
