import { execFileSync } from "node:child_process";
import { withPattern } from "../support/pattern.ts";
import type { Crash } from "./crashes.ts";
import type { Handler } from "./handlers.ts";

/** Seconds of one handler over all pairs. */
export interface Times {
  readonly medianS: number;
  readonly minS: number;
  readonly maxS: number;
}

export interface Compared {
  readonly ours: Times;
  readonly base: Times;
  /** Of the medians. */
  readonly ratio: number;
  /** The median of the pairs' own ratios: steadier where the machine is busy at times. */
  readonly pairRatio: number;
}

/** What is measured: a crash, and how many processes that is. */
export interface Measured {
  readonly crash: Crash;
  readonly crashes: number;
}

/** Both handlers in turn. The machine's core_pattern is held for one crash at a time. */
export async function pairs(count: number, what: Measured, ours: Handler, base: Handler): Promise<Compared> {
  for (const handler of [ours, base]) await timed(what, handler); // programs and libraries are in the page cache from here on
  return await inTurn(
    count,
    () => timed(what, ours),
    () => timed(what, base),
  );
}

/** Seconds of both, so that whatever else the machine does meets both; each goes first as often as the other. */
export async function inTurn(
  count: number,
  ours: () => Promise<number>,
  base: () => Promise<number>,
): Promise<Compared> {
  const seconds: [own: number[], base: number[]] = [[], []];
  for (let pair = 0; pair < count; pair++) {
    for (const which of pair % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const))
      seconds[which].push(await (which === 0 ? ours : base)());
  }
  const [own, other] = [times(seconds[0]), times(seconds[1])];
  const ratios = seconds[0].map((second, pair) => second / (seconds[1][pair] ?? Number.NaN));
  return { ours: own, base: other, ratio: rounded(own.medianS / other.medianS), pairRatio: times(ratios).medianS };
}

/** One crash under a handler, on a disk with nothing left to write and a cache with nothing in it. */
export async function timed({ crash, crashes }: Measured, handler: Handler, look = () => {}): Promise<number> {
  execFileSync("sync");
  try {
    const seconds = await withPattern(handler.pattern, crash);
    await handler.settle(crashes);
    look();
    return seconds;
  } finally {
    handler.clear();
  }
}

export function times(seconds: readonly number[]): Times {
  const sorted = [...seconds].sort((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  const [low, high] = [at((sorted.length - 1) >> 1), at(sorted.length >> 1)];
  return { medianS: rounded((low + high) / 2), minS: rounded(at(0)), maxS: rounded(at(sorted.length - 1)) };
}

/** To the digits that mean something here. */
export const rounded = (value: number): number => Number(value.toPrecision(3));
