/** A real etcd for a test: one member, with a folder of its own; stopped with its scope. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { TESTBED } from "./paths.ts";
import { freePort } from "./role-process.ts";
import { stopProcess } from "./stop.ts";
import { tempDir } from "./tmp.ts";

/** The program that the test bed built, or was given by KUBEBUILDER_ASSETS. */
const ETCD = join(TESTBED, "kubernetes/etcd");

export interface EtcdTls {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export class Etcd implements AsyncDisposable {
  /** Of its one member. */
  readonly url: string;
  readonly #folder = tempDir();
  readonly #flags: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(port: number, peerPort: number, tls: EtcdTls | undefined, flags: readonly string[]) {
    this.url = `${tls ? "https" : "http"}://127.0.0.1:${port}`;
    const peer = `http://127.0.0.1:${peerPort}`;
    const files = tls && ["--trusted-ca-file", tls.caFile, "--cert-file", tls.certFile, "--key-file", tls.keyFile];
    this.#flags = [
      ...["--data-dir", join(this.#folder.path, "data"), "--unsafe-no-fsync", "--log-level", "warn"],
      ...["--listen-client-urls", this.url, "--advertise-client-urls", this.url],
      ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", `default=${peer}`],
      ...(files ? [...files, "--client-cert-auth"] : []),
      ...flags,
    ];
  }

  /** Started, and not waited for: whoever uses it has to wait anyway. */
  static async start({ tls, flags = [] }: { tls?: EtcdTls; flags?: readonly string[] } = {}): Promise<Etcd> {
    const etcd = new Etcd(await freePort(), await freePort(), tls, flags);
    etcd.up();
    return etcd;
  }

  up(): void {
    this.#child = spawn(ETCD, this.#flags, { stdio: "ignore" });
  }

  /** Killed, as a machine that dies; with `up` it has again what it had. */
  async down(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  /** While it is down: with `up` it is a new one. */
  forget(): void {
    rmSync(join(this.#folder.path, "data"), { recursive: true });
  }

  /** It holds its connections, and answers nothing. */
  hang(): void {
    if (this.#child?.pid !== undefined) stopProcess(this.#child.pid);
  }

  goOn(): void {
    this.#child?.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
    this.#folder[Symbol.dispose]();
  }
}
