/** SIGSTOP as tests mean it: what is sent to the process afterwards, nothing answers. */
import { readdirSync, readFileSync } from "node:fs";

/** Each thread stops when it next comes back from the kernel: until the last has, the process may still answer. */
export function stopProcess(pid: number): void {
  process.kill(pid, "SIGSTOP");
  const end = performance.now() + 10_000;
  while (readdirSync(`/proc/${pid}/task`).some((tid) => !/^[TtZX]$/.test(stateOf(pid, tid))))
    if (performance.now() > end) throw new Error(`process ${pid} does not stop`);
}

const stateOf = (pid: number, tid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/task/${tid}/stat`, "latin1").replace(/^.*\) (.).*/s, "$1");
  } catch {
    return "X"; // the thread has ended
  }
};
