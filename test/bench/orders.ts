/** A shell in a container that crashes what it is told to, so that nothing but the crash happens while it is timed. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Crash } from "./crashes.ts";
import { until } from "./handlers.ts";

/** Host folders that a dynamic program of the host finds in the container too. */
export const HOST_FOLDERS = ["/usr", "/lib", "/lib64"];

/** What the container runs; the folder is its /bench. */
export const OBEY = [
  "/bin/sh",
  "-c",
  "while read -r order; do /bin/reaper $order > /bench/part; mv /bench/part /bench/answer; done < /bench/orders",
];

export class Orders implements Disposable {
  readonly #answer: string;
  readonly #fd: number;

  /** @param folder on the host: made */
  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    const orders = join(folder, "orders");
    this.#answer = join(folder, "answer");
    execFileSync("mkfifo", [orders]);
    writeFileSync(join(folder, "wait.py"), 'import signal\nprint("ready", flush=True)\nsignal.pause()\n');
    this.#fd = openSync(orders, "r+");
  }

  crash(...command: readonly string[]): Crash {
    return async () => {
      writeFileSync(this.#answer, "");
      writeSync(this.#fd, `${command.join(" ")}\n`);
      const text = () => readFileSync(this.#answer, "utf8");
      await until(() => text() !== "", `${command[0]} in the container has not crashed`);
      return Number(text());
    };
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
