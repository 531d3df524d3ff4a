/** What a handler takes. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Handler } from "./faults.ts";

/** The highest VmHWM of any of the handler's processes while `act` lasts and until they end. */
export async function peakMib(handler: Handler, act: () => Promise<unknown>): Promise<number> {
  let [peak, over] = [0, false];
  const acting = act().finally(() => {
    over = true;
  });
  while (!over || handler.pids().length > 0) {
    for (const pid of handler.pids()) peak = Math.max(peak, hwmMib(pid));
    await sleep(2);
  }
  await acting;
  return peak;
}

function hwmMib(pid: number): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0) / 1024;
  } catch {
    return 0; // gone
  }
}
