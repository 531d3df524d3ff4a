/** `doctor`: the executable that the pattern runs. */
import type { Step } from "../install/step.ts";
import { ok, problem, warning } from "../install/step.ts";

/** What is known of the file that the pattern runs. */
export interface HandlerReading {
  readonly path: string;
  /** Undefined when there is no such file. */
  readonly file: { readonly isFile: boolean; readonly mode: number; readonly uid: number } | undefined;
  /** What others than root can change on the way to it, in words. */
  readonly weakSpot: string | undefined;
  readonly noexec: string | undefined;
  /** How its start went; undefined when it was not tried, because it may be anybody's. */
  readonly started:
    | { readonly version: string; readonly startMs: number }
    | { readonly failed: string; readonly hint: string | undefined }
    | undefined;
}

const REINSTALL = "coredump-detector install";

/** @param ownVersion of the program that asks */
export function checkHandler(reading: HandlerReading, ownVersion: string): Step {
  const { path, file, weakSpot, noexec, started } = reading;
  const refused = (why: string, hint = REINSTALL) => problem("handler", `${path}: ${why}`, hint);
  if (weakSpot !== undefined)
    return refused(
      `${weakSpot}: others can run code as root through it`,
      "Take the right away, or install with another --bin-dir",
    );
  if (!file) return refused("no such file: every dump is lost");
  if (!file.isFile) return refused("not a file");
  if ((file.mode & 0o111) === 0) return refused("not executable");
  if (noexec !== undefined)
    return refused(
      `${noexec} is mounted noexec: the kernel cannot run it`,
      "Install with a --bin-dir on another mount",
    );
  if (!started) return refused("not tried");
  if ("failed" in started) return refused(started.failed, started.hint ?? REINSTALL);
  const text = `${path} ${started.version} (starts here in ${started.startMs} ms)`;
  return started.version === ownVersion
    ? ok("handler", text)
    : warning("handler", `${text}; this is ${ownVersion}`, REINSTALL);
}
