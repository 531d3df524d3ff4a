/**
 * The stack read in a process of its own: where a file's server does not answer it hangs, and is killed. It may not even end
 * then, because a request that the server has taken is waited for whatever comes (fs/fuse/dev.c, request_wait_answer()). So nothing
 * waits for its end, it holds nothing of ours, and there is one at a time on a node.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { isSea } from "node:sea";
import type { Crash } from "../../domain/crash.ts";
import { reasonOf } from "../../domain/failures.ts";
import { FileLock } from "../../system/lock.ts";
import { readStack, type StackSources } from "./reading.ts";

/** The program's verb for it (main.ts). */
const READ_STACK = "read-stack";
const TURN_MS = 1000;
/** For its turn and the answer together: less than files may be open, so that local ones can still be read. */
const APART_MS = 4000;

/** @param cacheDir  where its readers take turns. @returns why not, in words */
export async function readApart(sources: StackSources, cacheDir: string): Promise<Crash | string> {
  const signal = AbortSignal.timeout(APART_MS);
  try {
    using lock = await FileLock.within(join(cacheDir, ".slots/reader"), TURN_MS);
    return lock ? await answerOf(sources, lock, signal) : "another crash's are being read, or hang";
  } catch (error) {
    return signal.aborted ? "no answer within some seconds" : reasonOf(error);
  }
}

async function answerOf(sources: StackSources, lock: FileLock, signal: AbortSignal): Promise<Crash | string> {
  const own = isSea() ? [] : [...process.execArgv, process.argv[1] ?? ""];
  const child = spawn(process.execPath, [...own, READ_STACK], {
    stdio: ["ignore", "ignore", "ignore", "ipc", lock.fd], // it has the lock as long as it lives, perhaps longer than we do
    serialization: "advanced",
    cwd: "/", // where it hangs, no mount but the file's own is kept busy
  });
  child.unref();
  child.on("error", () => undefined); // the wait below rejects with it
  try {
    child.send(sources);
    const ended = once(child, "exit", { signal }).then(() => "the process that read them ended");
    return await Promise.race([once(child, "message", { signal }).then(([crash]) => crash as Crash), ended]);
  } finally {
    child.kill("SIGKILL");
    if (child.connected) child.disconnect();
  }
}

/** The other process: one message comes, one goes. */
export async function answerApart(): Promise<void> {
  const [sources] = await once(process, "message");
  const crash = await readStack(sources as StackSources);
  process.send?.(crash, undefined, undefined, () => process.exit());
}
