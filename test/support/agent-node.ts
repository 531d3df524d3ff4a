/** A node as its agent sees it, without a kubelet: a cache with dumps that wait, a store, a cluster. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { DumpRecord } from "../../src/domain/dump.ts";
import { openCache } from "../../src/node/cache/cache.ts";
import { Agent } from "./agents.ts";
import { type TempDir, tempDir } from "./tmp.ts";
import { type Waiting, waitingDump } from "./waiting-dump.ts";

export class AgentNode implements Disposable {
  readonly #folder: TempDir = tempDir();
  readonly dumpDir = join(this.#folder.path, "cache");
  /** A directory store. */
  readonly store = join(this.#folder.path, "store");
  readonly #kubeconfig: string;

  constructor(kubeconfig: string) {
    this.#kubeconfig = kubeconfig;
    mkdirSync(this.store);
  }

  get folder(): string {
    return this.#folder.path;
  }

  /** Of whatever works for this node. */
  get flags(): string[] {
    return [`-c=${this.#kubeconfig}`, `-d=${this.dumpDir}`, "--node-name=node-1"];
  }

  /** Its agent, with the directory store unless the flags name another one. */
  agent(...flags: readonly string[]): Promise<Agent> {
    const store = flags.some((flag) => flag.startsWith("--store=")) ? [] : [`--store=${this.store}`];
    return Agent.startReleased(...this.flags, ...store, ...flags);
  }

  crash(namespace: string, dump?: Waiting): DumpRecord {
    return waitingDump(this.dumpDir, namespace, dump);
  }

  get records(): readonly DumpRecord[] {
    return openCache(this.dumpDir, { create: true }).records();
  }

  record(id: string): DumpRecord | undefined {
    return this.records.find((record) => record.id === id);
  }

  /** Whether the node still holds its memory. */
  holds({ id }: DumpRecord): boolean {
    return existsSync(join(this.dumpDir, id, "core"));
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}
