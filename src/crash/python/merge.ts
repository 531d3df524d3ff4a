/** Python's frames among the native ones: each run of them above the call of the evaluator that runs it. */
import type { CrashFrame } from "../../domain/crash.ts";
import { hex, safeName } from "../elf/safe-name.ts";
import type { Frame } from "../unwind/context.ts";
import type { PythonFrame, PythonRun } from "./runtime.ts";

/**
 * @param native shown frames for each walked frame (several where something was inlined)
 * @param sp     register number of the stack pointer
 * @returns all in one list; runs whose call was not found on the stack are at the end
 */
export function merged(
  frames: readonly Frame[],
  native: readonly (readonly CrashFrame[])[],
  runs: readonly PythonRun[],
  sp: number,
): CrashFrame[] {
  const above = new Map<number, CrashFrame[]>();
  for (const run of runs) {
    const index = indexOf(frames, run.stackAddress, sp);
    const at = index < 0 ? frames.length : index;
    const trust = frames[index]?.trust ?? "scan";
    above.set(at, [...(above.get(at) ?? []), ...run.frames.map((frame) => shown(frame, trust))]);
  }
  return [...native, []].flatMap((each, i) => [...(above.get(i) ?? []), ...each]);
}

/** The native frame that the address is in: from its own stack pointer to its caller's. */
function indexOf(frames: readonly Frame[], address: bigint | undefined, sp: number): number {
  if (address === undefined) return -1;
  return frames.findIndex(({ registers }, i) => {
    const [low, high] = [registers[sp], frames[i + 1]?.registers[sp]];
    return low !== undefined && high !== undefined && low <= address && address < high;
  });
}

const shown = (frame: PythonFrame, trust: CrashFrame["trust"]): CrashFrame => ({
  function: frame.function === null ? null : safeName(frame.function),
  module: null,
  pc: hex(frame.pc),
  offset: null,
  functionOffset: null,
  file: frame.file === null ? null : safeName(frame.file),
  line: frame.line,
  inlined: false,
  kind: "python",
  trust,
});
