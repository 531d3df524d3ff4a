/** Crashes of this very program on its node: their memory may hold tokens and keys, so it is root's alone. */
import { closeSync, fstatSync, openSync } from "node:fs";
import type { CrashedProcess } from "../kernel/crashed-process.ts";
import { placeOf, statOfExecutable } from "../kernel/local-files.ts";

/** Names the process of `doctor --self-test` in its arguments: it is captured whatever the policy for the host is. */
export const SELF_TEST = "coredump-detector-self-test";

export type Own = "self-test" | "own" | "another's";

/**
 * By the file that it runs, or by that file's name where an upgrade has replaced the file meanwhile. A copy in a container is
 * another file: there the label on our pods speaks.
 * @param executable  of the handler
 */
export function whoseProgram(process: CrashedProcess | undefined, executable: string): Own {
  if (!process) return "another's";
  if (!isSameFile(process, executable)) return isReplaced(process, executable) ? "own" : "another's";
  return process.facts.get("cmdline")?.includes(SELF_TEST) ? "self-test" : "own";
}

function isSameFile(process: CrashedProcess, executable: string): boolean {
  try {
    const fd = openSync(executable, "r");
    try {
      const { inode } = placeOf(fd);
      const crashed = statOfExecutable(process, (each) => each === inode);
      const own = fstatSync(fd, { bigint: true });
      return crashed?.dev === own.dev && crashed.ino === own.ino;
    } finally {
      closeSync(fd);
    }
  } catch {
    return false; // gone meanwhile
  }
}

const isReplaced = ({ facts }: CrashedProcess, executable: string): boolean =>
  facts.get("exe")?.toString("latin1") === `${executable} (deleted)`;
