/** A role of ours as a process: what it says, what it answers, how it ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { BINARY, PROGRAM, ROOT } from "./paths.ts";

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly code?: string;
  readonly hint?: string;
  readonly where?: string;
  readonly dump?: string;
}

/** How it is run: the released executable, or the sources, which need no build. */
export const RELEASED: readonly string[] = [BINARY];
export const SOURCES: readonly string[] = [join(ROOT, "bin/node"), "--disable-warning=ExperimentalWarning", PROGRAM];

export class RoleProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #port: number;
  #said = "";

  /** @param port that it was told to listen on; 0: none */
  constructor([file = "", ...first]: readonly string[], args: readonly string[], port: number) {
    this.#child = spawn(file, [...first, ...args], { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    this.#port = port;
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding("utf8").on("data", (text) => (this.#said += text));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get log(): LogLine[] {
    return this.#said
      .split("\n")
      .slice(0, -1)
      .flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as LogLine] : []));
  }

  /** All that it said, also what is no log line. */
  get said(): string {
    return this.#said;
  }

  async ask(path: string): Promise<{ status: number; text: string }> {
    const answer = await fetch(`http://127.0.0.1:${this.#port}${path}`);
    return { status: answer.status, text: await answer.text() };
  }

  /** A figure of /metrics: `coredump_controller_requests_total{verb="list",resource="nodes"}`; 0 when there is none. */
  async metric(name: string): Promise<number> {
    const line = (await this.ask("/metrics")).text.split("\n").find((each) => each.startsWith(`${name} `));
    return Number(line?.split(" ").at(-1) ?? 0);
  }

  /** Ends it. @returns its exit code, or the signal that it died of */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<number | string | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, "exit");
      this.#child.kill(signal);
      await ended;
    }
    return this.#child.exitCode ?? this.#child.signalCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
