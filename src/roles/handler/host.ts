/** The handler on a real host: the kernel's arguments, descriptors and environment, made sane. */
import { constants, fstatSync, openSync } from "node:fs";
import { hostname, constants as osConstants, setPriority } from "node:os";
import { dirname, join } from "node:path";
import { loadSettings, settingsPath } from "../../config/settings.ts";
import { FAILURES, reasonOf } from "../../domain/failures.ts";
import type { World } from "../../node/capture/world.ts";
import { initialMounts } from "../../node/identity/host.ts";
import { identifyByApi, identifyProcess } from "../../node/identity/identify.ts";
import { parseKernelCall } from "../../node/kernel/arguments.ts";
import { formerHandler } from "../../node/kernel/former.ts";
import { kernelLog, logLine } from "../../system/log.ts";
import { handle } from "./handler.ts";

/** Two that copy, one that flushes the record, one that writes facts, and some for look-ups: libuv's four would queue. */
const THREADS = "8";

/** @returns the exit code; never throws: an error here would reach no one */
export async function handleKernelCall(argv: readonly string[]): Promise<number> {
  try {
    reopenStandardDescriptors();
    process.env["UV_THREADPOOL_SIZE"] = THREADS;
    // A library's stray error must not end the copy.
    for (const event of ["uncaughtException", "unhandledRejection"])
      process.on(event, (error) => kernelLog(`error beside a dump: ${reasonOf(error)}`));
    const kernelCall = parseKernelCall(argv);
    if (!kernelCall) {
      kernelLog("lost dump of an unknown process: the core pattern gives no pid (-P=%P)");
      return FAILURES.USAGE.exitCode;
    }
    const warnings: string[] = [];
    const warn = (problem: string) => warnings.push(problem);
    const settings = loadSettings(settingsPath(process.execPath), kernelCall.flags, warn);
    const world: World = {
      proc: "/proc",
      stdin: 0,
      settings,
      node: settings.nodeName ?? hostname(),
      executable: process.execPath,
      formerHandler: formerHandler(join(dirname(process.execPath), "install-state.json")),
      kernelLog,
      identify: {
        quickly: (facts, settings) => identifyProcess(facts, settings, initialMounts()),
        byApi: identifyByApi,
      },
      handOver: async (id) => {
        const { handOver } = await import("../../cluster/steps/handover.ts");
        return await handOver(id, settings).catch((error) => {
          logLine(settings.logDir, "error", reasonOf(error));
          return "nobody";
        });
      },
      released: () => setPriority(osConstants.priority.PRIORITY_BELOW_NORMAL),
      inBackground: () => setPriority(osConstants.priority.PRIORITY_LOW),
    };
    return await handle(kernelCall, world, warnings);
  } catch (error) {
    kernelLog(`lost dump: ${reasonOf(error)}`);
    return FAILURES.UNEXPECTED.exitCode;
  }
}

/**
 * The kernel gives a handler no stdout and no stderr. Whatever is opened next would take their numbers, and a stray
 * message would be written into it: Node opens /dev/null for the missing ones at start, this makes sure of it.
 */
function reopenStandardDescriptors(): void {
  for (const fd of [1, 2]) {
    try {
      fstatSync(fd);
    } catch {
      openSync("/dev/null", constants.O_RDWR); // takes the lowest free number: 1, then 2
    }
  }
}
