import { textOf } from "../domain/text.ts";
import { type ProcDirectory, statusField } from "../system/proc.ts";

/** As many threads as a record names; a process may have a hundred thousand. */
const MOST = 256;

/**
 * Names of the threads by their tid in the process's own pid namespace, which is how the core's notes number them.
 * Only while the process is held: the others wait for the dump to end.
 */
export function threadNames(main: ProcDirectory): Map<number, string> {
  const names = new Map<number, string>();
  for (const tid of main.list("task").slice(0, MOST)) {
    const comm = main.read(`task/${tid}/comm`);
    const inNamespace =
      statusField(main.read(`task/${tid}/status`), "NSpid")
        ?.split("\t")
        .at(-1) ?? tid;
    if (comm) names.set(Number(inNamespace), textOf(comm).replace(/\n$/, ""));
  }
  return names;
}
