/** `doctor`: reads the node, judges it check by check, and if asked crashes a process to see. */
import { dirname } from "node:path";
import { loadSettings } from "../config/settings.ts";
import { checkBoot } from "../node/doctor/boot.ts";
import { checkCache } from "../node/doctor/cache.ts";
import { checkEngines } from "../node/doctor/engines.ts";
import { checkHandler } from "../node/doctor/handler.ts";
import { checkKernel, checkPtrace, checkSelinux } from "../node/doctor/kernel.ts";
import { checkLost } from "../node/doctor/lost.ts";
import { checkFileMode, checkLimits, checkPattern, checkRlimit } from "../node/doctor/pattern.ts";
import * as read from "../node/doctor/readings.ts";
import { selfTest } from "../node/doctor/self-test.ts";
import { type Host, placesIn, seen } from "../node/install/host.ts";
import { placesOf } from "../node/install/place.ts";
import { type Step, warning } from "../node/install/step.ts";
import { ownerOf, programOf, readSetting } from "../node/kernel/core-pattern.ts";
import { ptraceForbidden } from "../system/ptrace.ts";

interface Examination {
  /** Where the handler should be, while no pattern says where it is. */
  readonly binDir: string;
  /** Options from the command line, by flag; they come before the handler's settings.json. */
  readonly flags: ReadonlyMap<string, string>;
  readonly selfTest: boolean;
  readonly version: string;
}

const SELF_TEST_WAIT_MS = 30_000;

export async function examine(order: Examination, host: Host, now: Date): Promise<Step[]> {
  const pattern = readSetting("pattern", host.procSys);
  const ours = ownerOf(pattern) === "ours" ? programOf(pattern) : undefined;
  const places = ours === undefined ? placesOf(order.binDir, host) : placesIn(dirname(ours));
  const wrong: string[] = [];
  const settings = loadSettings(seen(host, places.settings), order.flags, (problem) => wrong.push(problem));
  const isFileMode = settings.mode === "file";
  const limits = {
    pipeLimit: Number(readSetting("pipeLimit", host.procSys)),
    suidDumpable: Number(readSetting("suidDumpable", host.procSys)),
  };
  const [checkedPattern, ...checkedLimits] = isFileMode
    ? checkFileMode(pattern, settings.filePattern, read.readInitLimits())
    : ([
        checkPattern(pattern, places.binary, host.kernelRelease),
        ...checkLimits(limits, settings.maxDumps),
        checkRlimit(read.readInitLimits(), settings.rlimit),
      ] as const);
  const steps = [
    checkKernel(read.readKernel(host)),
    checkedPattern,
    checkHandler(read.readHandler(places.binary, host), order.version),
    ...wrong.map((problem) => warning("settings", problem)),
    ...checkedLimits,
    ...checkPtrace(ptraceForbidden(host.procSys)),
    ...checkSelinux(read.readSelinux(places.binary, host), places.binary),
    ...checkEngines(await read.readEngines(settings)),
    checkCache(read.readCache(settings)),
    checkLost(...read.readLog(), now),
    checkBoot(read.readBoot(host), places),
  ];
  if (order.selfTest && isFileMode) return [...steps, warning("self-test", "there is no handler to test in file mode")];
  if (!order.selfTest) return steps;
  return [...steps, await selfTest({ binary: places.binary, dumpDir: settings.dumpDir, waitMs: SELF_TEST_WAIT_MS })];
}
