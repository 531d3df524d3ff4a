/** Host crashes that are none of our business go to the pattern's former owner, as the kernel would have called it. */
import { spawn } from "node:child_process";
import { hostname } from "node:os";
import type { KernelArguments } from "../../config/options.ts";

/**
 * The handler's argv: the template is split at white space before the specifiers are expanded (since 5.3), unknown ones
 * vanish, `%%` is a percent sign (core(5)).
 */
export function expand(pattern: string, call: KernelArguments, facts: { comm: string; exe: string }): string[] {
  const slashless = (text: string) => text.replaceAll("/", "!");
  const exe = facts.exe || `${facts.comm} (path unknown)`;
  const values: Readonly<Record<string, string | number | undefined>> = {
    "%": "%",
    P: call.hostPid,
    p: call.containerPid,
    I: call.hostTid,
    i: call.hostTid,
    u: call.uid,
    g: call.gid,
    d: call.dumpable,
    s: call.signal,
    t: call.time,
    h: slashless(hostname()),
    e: slashless(call.threadName ?? facts.comm),
    f: slashless(exe.split("/").at(-1) ?? exe),
    E: slashless(exe),
    c: call.coreLimit,
    F: call.pidfd,
  };
  const words = pattern
    .replace(/^\|\s*/, "")
    .split(/\s+/)
    .filter((word) => word !== "");
  return words.map((word) => word.replace(/%(.?)/gs, (_, letter: string) => String(values[letter] ?? "")));
}

/**
 * Runs the handler on our stdin, which it inherits before its first byte was read; the pidfd goes along under its number.
 * @param started  called once it runs: from then on the pipe is the other handler's
 * @returns its exit status, or undefined when it could not be started; then the core is still in the pipe
 */
export function passOn(
  argv: readonly string[],
  pidfd: number | undefined,
  started: () => void,
): Promise<number | undefined> {
  const [command = "", ...args] = argv;
  const inherited = pidfd === 3 ? [3] : []; // the kernel gives it no other number
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: [0, "ignore", "ignore", ...inherited], env: {}, cwd: "/" });
    child.once("error", () => resolve(undefined));
    child.once("exit", (code, signal) => resolve(signal ? 1 : (code ?? 1)));
    if (child.pid !== undefined) started();
  });
}
