/** What one crash costs the handler itself: memory, processor time, and how soon it takes the first byte. */
import { copyFileSync, readFileSync, rmSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { patternFor } from "../../src/node/kernel/core-pattern.ts";
import type { Ours } from "./handlers.ts";
import { type Measured, rounded, timed, times } from "./pairs.ts";
import { compiled } from "./programs.ts";

/** watch.c says what each is. */
interface Watched {
  readonly status: number;
  readonly firstReadS: number;
  readonly maxRssKib: number;
  readonly anonymousKib: number;
  readonly userS: number;
  readonly sysS: number;
}

export interface Usage {
  readonly maxRssMiB: number;
  /** The part that is its own; the rest is the executable's, in the page cache. */
  readonly anonymousMiB: number;
  /** From exec to the first byte out of the kernel's pipe. */
  readonly firstReadS: number;
  /** All of it: checksum and everything else behind the release too. */
  readonly cpuS: number;
  readonly cpuSPerGB: number;
}

const RUNS = 3;

/** Crashes once more, a few times, with a parent beside our handler that watches it; that costs a little, so nothing is timed. */
export async function usage(what: Measured, ours: Ours): Promise<Usage> {
  const watch = join(ours.folder, "watch");
  const answer = join(ours.folder, "usage.json");
  copyFileSync(compiled("watch"), watch);
  const handler = { ...ours, pattern: patternFor(watch, release()) };
  const seen: Watched[] = [];
  let bytes = 0;
  for (let run = 0; run < RUNS; run++) {
    await timed(what, handler, () => {
      seen.push(JSON.parse(readFileSync(answer, "utf8")) as Watched);
      bytes = ours.records()[0]?.core.sizeBytes ?? 0;
    });
    rmSync(answer);
  }
  const cpuS = times(seen.map(({ userS, sysS }) => userS + sysS)).medianS;
  const most = (key: "maxRssKib" | "anonymousKib") => rounded(Math.max(...seen.map((one) => one[key])) / 1024);
  return {
    maxRssMiB: most("maxRssKib"),
    anonymousMiB: most("anonymousKib"),
    firstReadS: times(seen.map(({ firstReadS }) => firstReadS)).medianS,
    cpuS,
    cpuSPerGB: rounded(cpuS / (bytes / 1e9)),
  };
}
