/** One delivery: the job comes on stdin, the outcome goes to stdout, and a dot now and then before. Run by the agent. */
import { readFileSync, writeSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { carry } from "../node/delivery/carry.ts";
import { PROGRESS } from "../node/delivery/delivery-process.ts";
import type { DeliveryJob } from "../node/delivery/job.ts";

const TELL_MS = 1000;

/** Ends the process by EPIPE when there is no reader any more: the agent was killed, and the next one sends its own. */
export function deliver(): void {
  const job = JSON.parse(readFileSync(0, "utf8")) as DeliveryJob;
  let toldMs = performance.now();
  const outcome = carry(job, () => {
    if (performance.now() - toldMs < TELL_MS) return;
    toldMs = performance.now();
    writeSync(1, `${PROGRESS}\n`);
  });
  writeSync(1, JSON.stringify(outcome));
}
