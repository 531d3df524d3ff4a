/** The part of the handler that the crashed process waits for. */
import { closeSync, constants, openSync, rmSync } from "node:fs";
import { ifPossible, reasonOf } from "../../domain/failures.ts";
import { formatBytes } from "../../domain/units.ts";
import { staySmall } from "../../system/footprint.ts";
import { statusField } from "../../system/proc.ts";
import type { OpenEntry } from "../cache/begin.ts";
import { threadsIn } from "../cache/examine.ts";
import { limitsFor, Reservation } from "../cache/pressure.ts";
import { takeSlot } from "../cache/slots.ts";
import type { Identification } from "../identity/runtime.ts";
import type { CrashedProcess } from "../kernel/crashed-process.ts";
import { glimpse } from "../kernel/glimpse.ts";
import { type CoreHead, readHead } from "../kernel/head.ts";
import { before, stoppedBy } from "../kernel/interruption.ts";
import { MappedFiles } from "../kernel/mapped-files.ts";
import type { CorePipe } from "../kernel/pipe.ts";
import { type Received, receive } from "../kernel/receive.ts";
import { SparseFile } from "../kernel/sparse-file.ts";
import { namesOfListed, threadNames } from "../kernel/threads.ts";
import type { Explaining } from "./explaining.ts";
import { type Facts, factsIn, withoutLarge, writeFacts } from "./facts.ts";
import { disowned, type Scene } from "./observing.ts";
import type { Refusal } from "./refusing.ts";
import type { World } from "./world.ts";

export interface Copied {
  /** What is known now: without all that /proc showed, if that turned out to be another process's. */
  readonly scene: Scene;
  readonly received: Received;
  readonly threadNames: ReadonlyMap<number, string>;
  /** What ended the stream too early, where that can be known. */
  readonly stopped: string | undefined;
  readonly explaining: Explaining;
  readonly heldMs: number;
  /** The API's answer, asked while the process was held because the state files had none. */
  readonly asked: Promise<Identification> | undefined;
  /** Puts record, directory and facts on the disk, unless a long copy left time for it: what went wrong, if anything. */
  readonly keepSmall: (room: boolean) => Promise<readonly string[]>;
}

/** Of some 5,000 program headers: decoding so many makes garbage that V8 would give room to rather than collect. */
const MANY_HEADERS_BYTES = 256 << 10;

/** A place, the head, the room, then the bytes; identity and facts beside them. */
export async function copyCore(scene: Scene, open: OpenEntry, pipe: CorePipe, world: World): Promise<Refusal | Copied> {
  const { settings } = world;
  using _slot = await takeSlot(open.spool, settings.maxDumps, settings.slotWaitMs).catch(() => undefined); // late or crowded is better than lost
  const { head, explaining } = await looked(await readHead(pipe), pipe, scene, settings);
  if (head.bytes.length > MANY_HEADERS_BYTES) staySmall();
  const limits = limitsFor(open.spool.dir, settings);
  const reservation = new Reservation(open.spool, open.entry, limits);
  const estimate = estimateBytes(head, scene.process);
  const { facts, no } = await withRoom(reservation, estimate, factsIn(scene));
  if (no === "TooBig")
    return {
      reason: no,
      message: `too big: ${formatBytes(estimate)}, limit ${formatBytes(limits.maxDumpBytes)}`,
      explaining,
    };
  if (no) return { reason: no, message: `no room in the cache for ${formatBytes(estimate)}`, explaining };
  const was = beforeDump(scene);
  const fd = openSync(open.entry.part, NEW, 0o600);
  try {
    const copying = receive(
      pipe,
      head,
      new SparseFile(fd, (held) => reservation.allow(held + facts.largeBytes)),
      scene.process,
      settings.capture,
    );
    const small = smallThings(open, facts);
    const asked = scene.quick.owner === "unknown" ? ask(scene, world) : undefined;
    const few = scene.process && threadNames(scene.process.main);
    const received = await copying;
    const names = few ?? manyNames(scene, fd);
    const endedEarly = received.truncation === undefined && received.sizeBytes < (head.expectedBytes ?? 1n);
    const stopped = endedEarly && scene.process ? stoppedBy(scene.process.memory, was) : undefined;
    small.waitNoMore();
    reservation.end();
    if (received.foreign) {
      explaining.files?.[Symbol.dispose]();
      return withoutProcess(scene, received, small, { open, pipe, world });
    }
    if (asked) await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, settings.lookupMs))]);
    pipe.release();
    return { scene, received, threadNames: names, stopped, explaining, heldMs: heldMs(), asked, keepSmall: small.kept };
  } finally {
    closeSync(fd);
  }
}

const beforeDump = ({ process }: Scene) =>
  before(process?.facts.get("cgroup"), process?.facts.get("status"), process?.main.link("ns/pid"));

interface Looked {
  /** With the notes among its bytes, where they were looked at. */
  readonly head: CoreHead;
  readonly explaining: Explaining;
}

/** What explains the crash and needs the process: nothing, where that is not wanted. */
async function looked(
  head: CoreHead,
  pipe: CorePipe,
  { process }: Scene,
  { crash: how }: World["settings"],
): Promise<Looked> {
  if (how === "off") return { head, explaining: { how } };
  const files = process && filesOf(process);
  const { head: whole, seen, stalled } = await glimpse(head, pipe, process);
  return { head: whole, explaining: { how, seen, files, stalled } };
}

/** What cannot be opened is said in its module. */
const filesOf = (process: CrashedProcess): MappedFiles | undefined => ifPossible(() => new MappedFiles(process));

const heldMs = (): number => Math.round(performance.now());

/** The core is another process's than the one that was looked at: nothing of that one is kept, and it is not named. */
function withoutProcess(
  of: Scene,
  received: Received,
  small: ReturnType<typeof smallThings>,
  { open, pipe, world }: { open: OpenEntry; pipe: CorePipe; world: World },
): Copied {
  pipe.release();
  const scene = disowned(of, world, received.foreign ?? "");
  const keepSmall = async (room: boolean) => {
    const problems = await small.kept(room);
    rmSync(open.entry.path("facts"), { recursive: true, force: true });
    const problem = room ? writeFacts(open.entry, factsIn(scene)) : undefined;
    return problem ? [...problems, problem] : problems;
  };
  const explaining = { how: world.settings.crash };
  const known = { threadNames: new Map(), stopped: undefined, explaining, asked: undefined };
  return { scene, received, ...known, heldMs: heldMs(), keepSmall };
}

/** Room for the core and its facts; where that is too much, for the core alone. */
async function withRoom(reservation: Reservation, core: bigint, all: Facts) {
  const no = await reservation.take(core + all.largeBytes);
  if (!no || all.largeBytes === 0n) return { facts: all, no };
  return { facts: withoutLarge(all), no: await reservation.take(core) };
}

/** Of very many threads the names are read of those that the record will list: the notes, now in the file, tell which. */
const manyNames = ({ process, kernelCall }: Scene, fd: number): ReadonlyMap<number, string> =>
  process ? namesOfListed(process.main, kernelCall.call.hostTid, threadsIn(fd)) : new Map();

const NEW = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * What the dump will hold, as an upper bound: what the headers announce, or what the process has in memory and swap
 * where that is less (the rest of a large mapping was never touched).
 */
function estimateBytes({ expectedBytes }: CoreHead, process: CrashedProcess | undefined): bigint {
  const status = process?.facts.get("status");
  const kib = ["VmRSS", "VmSwap"].map((name) => Number.parseInt(statusField(status, name) ?? "", 10));
  const inMemory = kib.some(Number.isNaN) ? undefined : BigInt((kib[0] ?? 0) + (kib[1] ?? 0)) * 1024n;
  if (expectedBytes === undefined) return inMemory ?? 0n;
  return inMemory !== undefined && inMemory < expectedBytes ? inMemory : expectedBytes;
}

/** How long the API may take in all: the agent, or the next command, asks again. */
const API_MS = 5000;

export function ask({ process, quick }: Scene, { identify, settings }: World): Promise<Identification> {
  const signal = AbortSignal.timeout(API_MS);
  const cgroup = process?.facts.get("cgroup") ?? Buffer.alloc(0);
  return identify.byApi(quick, cgroup, settings, signal).catch((error) => ({
    ...quick,
    identity: { ...quick.identity, problem: reasonOf(error) },
  }));
}

/** Until then a copy is not disturbed: most are over sooner. */
const BESIDE_MS = 50;

/**
 * What is small goes to the disk beside a long copy, and after the release after a short one. On a disk that is full the
 * room that is left is the record's.
 */
function smallThings(open: OpenEntry, facts: Facts) {
  let keeping: Promise<readonly string[]> | undefined;
  const kept = (room: boolean) => {
    const full = keeping || room ? undefined : "facts were not kept: the disk is full";
    keeping ??= Promise.all([open.toDisk(), full ?? writeFacts(open.entry, facts)]).then((all) =>
      all.filter((why) => why !== undefined),
    );
    return keeping;
  };
  const timer = setTimeout(kept, BESIDE_MS, true);
  return { kept, waitNoMore: () => clearTimeout(timer) };
}
