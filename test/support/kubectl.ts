/** kubectl as one user of a cluster. */
import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { TESTBED } from "./paths.ts";

/** An object as the API writes it, as far as tests look at it. */
// biome-ignore lint/suspicious/noExplicitAny: every kind has its own fields
export type Resource = { apiVersion: string; kind: string; metadata: Record<string, any> } & Record<string, any>;

interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The program that the test bed built, or was given by KUBEBUILDER_ASSETS. */
export const KUBECTL = join(TESTBED, "kubernetes/kubectl");

export class User {
  readonly kubeconfig: string;
  /** Of every command, when it is given. */
  readonly #namespace: string | undefined;

  constructor(kubeconfig: string, namespace?: string) {
    this.kubeconfig = kubeconfig;
    this.#namespace = namespace;
  }

  in(namespace: string): User {
    return new User(this.kubeconfig, namespace);
  }

  /** @returns what it printed. @throws Error with what it complained of */
  async kubectl(...args: readonly string[]): Promise<string> {
    return this.#checked(args, await this.#end(args));
  }

  /** @returns what it complained of. @throws Error when it succeeds */
  async refusal(...args: readonly string[]): Promise<string> {
    return this.#refused(args, await this.#end(args));
  }

  /** `create`, `apply`, `replace` … that object. @returns it, as the server answered */
  async send(verb: string, object: object, ...args: readonly string[]): Promise<Resource> {
    const all = [verb, "--filename", "-", "--output", "json", ...args];
    return JSON.parse(this.#checked(all, await this.#end(all, JSON.stringify(object))));
  }

  /** The same when it is to fail. @returns what it complained of */
  async sendRefusal(verb: string, object: object, ...args: readonly string[]): Promise<string> {
    const all = [verb, "--filename", "-", ...args];
    return this.#refused(all, await this.#end(all, JSON.stringify(object)));
  }

  /** `get`, parsed. */
  async get(...args: readonly string[]): Promise<Resource> {
    return JSON.parse(await this.kubectl("get", ...args, "--output", "json"));
  }

  #checked(args: readonly string[], { exitCode, stdout, stderr }: Ended): string {
    if (exitCode !== 0) throw new Error(`kubectl ${args.join(" ")} ended with ${exitCode}: ${stderr}`);
    return stdout;
  }

  #refused(args: readonly string[], { exitCode, stdout, stderr }: Ended): string {
    if (exitCode === 0) throw new Error(`kubectl ${args.join(" ")} should have been refused, but printed: ${stdout}`);
    return stderr;
  }

  #end(args: readonly string[], stdin = ""): Promise<Ended> {
    const where = this.#namespace === undefined ? [] : ["--namespace", this.#namespace];
    // Of its own: another cluster may have been at this address before, and had other kinds.
    const cache = join(dirname(this.kubeconfig), "cache");
    const all = ["--kubeconfig", this.kubeconfig, "--cache-dir", cache, ...where, ...args];
    return new Promise((resolve, reject) => {
      const child = execFile(KUBECTL, all, { maxBuffer: 256 << 20 }, (error, stdout, stderr) => {
        const exitCode = error === null ? 0 : error.code;
        if (typeof exitCode === "number") resolve({ exitCode, stdout, stderr });
        else reject(error);
      });
      child.stdin?.on("error", () => undefined); // it need not read all before it ends
      child.stdin?.end(stdin);
    });
  }
}
