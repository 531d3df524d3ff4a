/** `doctor`: dumps that the kernel gave up. */
import { formatDuration } from "../../domain/units.ts";
import { ok, type Step, warning } from "../install/step.ts";
import type { KernelLog, RefusalCause } from "../kernel/kmsg.ts";

const WHY: Readonly<Record<RefusalCause, readonly [why: string, hint: string]>> = {
  "pipe-limit": ["too many at once", "raise kernel.core_pipe_limit"],
  "rlimit-1": ["RLIMIT_CORE 1", "nothing, where a handler itself crashed; else find what sets RLIMIT_CORE to 1"],
  "exec-failed": ["the handler could not be started", "see to the handler and the pattern above"],
  "bad-pattern": ["malformed pattern", "coredump-detector install"],
  "no-memory": ["no memory in the kernel", "the node is short of memory"],
  file: ["refused by a file pattern", "coredump-detector install"],
  socket: ["nothing listened at the pattern's socket", "coredump-detector install"],
  handler: ["the handler could keep nothing", "see to the cache; the kernel's log has the reasons"],
};

/** @param log undefined when it cannot be read; `why` says the reason then */
export function checkLost(log: KernelLog | undefined, why: string, now: Date): Step {
  if (!log) return warning("lost", `the kernel's log cannot be read: ${why}`, "Run it as root on the host");
  const { refusals, incomplete } = log;
  const last = refusals.at(-1);
  if (!last)
    return ok(
      "lost",
      incomplete ? "none in what is left of the kernel's log" : "none since boot, as far as the kernel's log says",
    );
  const counts = [...Map.groupBy(refusals, ({ cause }) => cause)].map(
    ([cause, all]) => `${all.length} × ${WHY[cause][0]}`,
  );
  const who = `${last.comm ?? "unknown"}${last.pid === null ? "" : ` (pid ${last.pid} in its namespace)`}`;
  const when = formatDuration(Math.max(0, Math.floor((now.getTime() - last.time.getTime()) / 1000)) * 1000);
  // The kernel limits the rate of these lines, so there may always have been more.
  const text = `at least ${refusals.length} since boot: ${counts.join(", ")}; the last ${when} ago: ${who}`;
  return warning("lost", text, WHY[last.cause][1]);
}
