/**
 * A delivery in a process of its own: a volume is whatever its tenant has a server for, and a call to it may hang for
 * ever. Then that process hangs, and nothing else.
 */
import { spawn } from "node:child_process";
import { ifPossible, reasonOf } from "../../domain/failures.ts";
import type { DeliveryJob, DeliveryOutcome } from "./job.ts";

/** What it says while bytes move. */
export const PROGRESS = ".";
const SILENCE_MS = 60_000;

const HANGS: DeliveryOutcome = {
  reason: "VolumeHangs",
  message: "the volume does not answer",
  mayPass: true,
};

/** Sends one process for each delivery. What hangs in the kernel cannot be killed: no other delivery goes to that mount. */
export class DeliveryProcesses {
  readonly #command: readonly string[];
  readonly #silenceMs: number;
  readonly #hanging = new Set<string>();

  /** @param command runs `roles/deliver.ts`: the job on stdin, the outcome on stdout */
  constructor(command: readonly string[], silenceMs = SILENCE_MS) {
    this.#command = command;
    this.#silenceMs = silenceMs;
  }

  /** @throws the signal's reason; the process is killed then */
  async send(job: DeliveryJob, signal: AbortSignal): Promise<DeliveryOutcome> {
    signal.throwIfAborted();
    const mount = JSON.stringify(job.mount);
    if (this.#hanging.has(mount)) return HANGS;
    const [program = "", ...args] = this.#command;
    const child = spawn(program, args, { cwd: "/", env: {}, stdio: ["pipe", "pipe", "ignore"] });
    child.once("close", () => this.#hanging.delete(mount));
    try {
      const outcome = await this.#outcome(child, job, signal);
      if (outcome === HANGS) this.#hanging.add(mount); // until it closes, should it ever
      return outcome;
    } finally {
      child.kill("SIGKILL");
      for (const held of [child.stdin, child.stdout]) held?.destroy();
      child.unref(); // nothing waits for one that hangs, not even our own end
    }
  }

  #outcome(child: ReturnType<typeof spawn>, job: DeliveryJob, signal: AbortSignal): Promise<DeliveryOutcome> {
    return new Promise((resolve, reject) => {
      let said = "";
      const silence = setTimeout(() => resolve(HANGS), this.#silenceMs).unref();
      const stop = () => reject(signal.reason);
      signal.addEventListener("abort", stop, { once: true });
      child.stdout?.setEncoding("utf8").on("data", (text: string) => {
        silence.refresh();
        said = `${said}${text}`.replace(/^[.\n]+/, "").slice(0, 65536);
      });
      child.once("error", (error) => resolve(failed(reasonOf(error))));
      child.once("close", (code, killed) => {
        clearTimeout(silence);
        signal.removeEventListener("abort", stop);
        resolve(outcomeIn(said) ?? failed(`its process ended with ${killed ?? code}`));
      });
      child.stdin?.on("error", () => undefined); // its end says why
      child.stdin?.end(JSON.stringify(job));
    });
  }
}

const failed = (why: string): DeliveryOutcome => ({
  reason: "WriteFailed",
  message: `the delivery failed: ${why}`,
  mayPass: true,
});

const outcomeIn = (said: string): DeliveryOutcome | undefined => ifPossible(() => JSON.parse(said) as DeliveryOutcome); // killed on the way
