/** Names of the crashed process's threads. */
import { MAX_THREADS } from "../../crash/elf/crash.ts";
import { textOf } from "../../domain/text.ts";
import { type ProcDirectory, statusField } from "../../system/proc.ts";

/** Threads that are looked through for the listed ones; it takes some 20 µs each, while the process is held. */
const MOST_LOOKED_AT = 16_384;

/**
 * Names of the threads by their tid in the process's own pid namespace, which is how the core's notes number them.
 * Only while the process is held: the others wait for the dump to end.
 *
 * @returns undefined when there are more than a record lists: then see `namesOfListed()`
 */
export function threadNames(main: ProcDirectory): Map<number, string> | undefined {
  const tids = main.list("task", MAX_THREADS + 1);
  if (tids.length > MAX_THREADS) return undefined;
  return new Map(tids.flatMap((tid) => named(main, tid, numberInside(main, tid))));
}

/**
 * The same for a process of very many threads: the crashed one's, and those of the threads that the record lists.
 * @param crashedTid  %I, in the initial pid namespace
 * @param listed  as the core's notes number them, the crashed one first
 */
export function namesOfListed(
  main: ProcDirectory,
  crashedTid: number | undefined,
  listed: readonly number[],
): Map<number, string> {
  const [first] = listed;
  const crashed = crashedTid === undefined || first === undefined ? [] : named(main, `${crashedTid}`, first);
  return new Map([...crashed, ...others(main, new Set(listed))]);
}

function* others(main: ProcDirectory, wanted: Set<number>): Generator<[number, string]> {
  const [leader] = main.list("task", 1);
  // Outside of any pid namespace of its own the numbers are the same, and each name is at hand.
  if (leader !== undefined && numberInside(main, leader) === Number(leader)) {
    for (const tid of wanted) yield* named(main, `${tid}`, tid);
    return;
  }
  for (const tid of main.list("task", MOST_LOOKED_AT)) {
    if (wanted.size === 0) return;
    const inside = numberInside(main, tid);
    if (wanted.delete(inside)) yield* named(main, tid, inside);
  }
}

/** NSpid has one number for each pid namespace, the innermost last; kernels before 4.1 have no such line. */
const numberInside = (main: ProcDirectory, tid: string): number =>
  Number(
    statusField(main.read(`task/${tid}/status`), "NSpid")
      ?.split("\t")
      .at(-1) ?? tid,
  );

function named(main: ProcDirectory, tid: string, inside: number): [number, string][] {
  const comm = main.read(`task/${tid}/comm`);
  return comm ? [[inside, textOf(comm).replace(/\n$/, "")]] : [];
}
