/** The handler's log file, and a line in the kernel's log. */
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { printable } from "../domain/text.ts";

/** The directory may be one where others write too: no link is followed, and no pipe waited for. */
const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
const APPEND = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK;

/** One line into the handler's log, where one was asked for: time and level as in the roles' logs. One that cannot be written costs nothing. */
export function logLine(dir: string | undefined, level: "info" | "warn" | "error", text: string): void {
  if (!dir) return;
  try {
    const fd = openSync(join(dir, "coredump-detector.log"), APPEND, 0o600);
    writeSync(fd, `${new Date().toISOString()} ${level} ${printable(text)}\n`);
    closeSync(fd);
  } catch {
    // Ignorable: the record says the same.
  }
}

/** The kernel's own log (/dev/kmsg): the last place to report a dump that left no record. */
export function kernelLog(text: string): void {
  try {
    const fd = openSync("/dev/kmsg", constants.O_WRONLY);
    // Without the line end the kernel holds the line back until the next one is written.
    writeSync(fd, `<4>coredump-detector: ${printable(text).slice(0, 900)}\n`);
    closeSync(fd);
  } catch {
    // Nowhere left to say it.
  }
}
