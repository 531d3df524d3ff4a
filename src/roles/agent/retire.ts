/**
 * The end of a node's service: ordered on the Lease of its agent (cluster/policy/retirement.ts), or because the DaemonSet that
 * runs the agents was deleted (removal.ts).
 */

import { RETIRE, RETIRED } from "../../cluster/policy/retirement.ts";
import { reasonOf } from "../../domain/failures.ts";
import type { Cache } from "../../node/cache/cache.ts";
import { leaveDumps } from "../../node/install/dumps.ts";
import { type Host, thisHost } from "../../node/install/host.ts";
import { uninstall } from "../../node/install/uninstall.ts";
import { pause } from "../../system/backoff.ts";
import { isOpen } from "./upkeep.ts";

type Annotations = Readonly<Record<string, string>>;

interface Served {
  readonly cache: Cache;
  readonly dumpDir: string;
  /** Where the agent itself installed; undefined: an admin did, and gives the node back. */
  readonly installed: { readonly host: Host; readonly binDir: string } | undefined;
  /** Whether dumps go anywhere from here. */
  readonly hasStore: boolean;
}

const LOOK_MS = 500;

export class Retirement {
  /** Aborts when it is ordered: from then on the pattern is not ours to keep. */
  readonly ordered: AbortSignal;
  readonly #order = new AbortController();
  readonly #served: Served;
  readonly #end: AbortSignal;
  #retiring: Promise<string> | undefined;
  #report: string | undefined;

  /** @param end of the agent: then uploads are not waited for any more */
  constructor(served: Served, end: AbortSignal) {
    this.#served = served;
    this.#end = end;
    this.ordered = this.#order.signal;
  }

  /** @param annotations of our Lease; @returns those to add to it, as soon as there is something to say */
  onRenewal(annotations: Annotations = {}): Annotations {
    const until = annotations[RETIRE];
    if (until === undefined) return {};
    this.#order.abort();
    if (annotations[RETIRED] !== undefined) return {};
    void this.retire(Date.parse(until) || 0);
    return this.#report === undefined ? {} : { [RETIRED]: this.#report };
  }

  /** Gives the node back, once, and lets uploads go on. Never throws. @returns what became of it, in words */
  async retire(untilMs: number): Promise<string> {
    this.#order.abort();
    this.#retiring ??= this.#retire(untilMs);
    this.#report = await this.#retiring;
    return this.#report;
  }

  async #retire(untilMs: number): Promise<string> {
    try {
      const pattern = await this.#giveBack();
      await this.#uploads(untilMs);
      const { dumpDir, installed } = this.#served;
      const dumps = leaveDumps(dumpDir, false, installed?.host ?? thisHost())[0]?.text ?? `no ${dumpDir}`;
      return `core_pattern ${pattern}; dumps: ${dumps.replace(/:$/, "")}`;
    } catch (error) {
      return `failed: ${reasonOf(error)}`;
    }
  }

  async #giveBack(): Promise<string> {
    const { installed, dumpDir } = this.#served;
    if (!installed) return "left to the installation of the handler (`install`)";
    const steps = await uninstall({ binDir: installed.binDir, dumpDir, purge: false }, installed.host);
    return steps.find(({ what }) => what === "pattern")?.text ?? "not ours";
  }

  /** What is on its way to the store may arrive. */
  async #uploads(untilMs: number): Promise<void> {
    const { cache, hasStore } = this.#served;
    const isWaiting = () => cache.records().some((record) => record.pod !== null && isOpen(record));
    while (hasStore && Date.now() < untilMs && !this.#end.aborted && isWaiting()) await pause(LOOK_MS, this.#end);
  }
}
