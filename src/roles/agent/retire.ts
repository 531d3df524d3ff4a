/** The end of a node's service, ordered on the Lease of its agent (cluster/policy/retirement.ts). */

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
  readonly #stop: AbortSignal;
  #begun = false;
  #report: string | undefined;

  constructor(served: Served, stop: AbortSignal) {
    this.#served = served;
    this.#stop = stop;
    this.ordered = this.#order.signal;
  }

  /** @param annotations of our Lease; @returns those to add to it, as soon as there is something to say */
  heed(annotations: Annotations = {}): Annotations {
    const until = annotations[RETIRE];
    if (until === undefined) return {};
    this.#order.abort();
    if (annotations[RETIRED] !== undefined) return {};
    if (!this.#begun) void this.#retire(Date.parse(until) || 0);
    this.#begun = true;
    return this.#report === undefined ? {} : { [RETIRED]: this.#report };
  }

  async #retire(untilMs: number): Promise<void> {
    try {
      const pattern = await this.#giveBack();
      await this.#uploads(untilMs);
      const { dumpDir, installed } = this.#served;
      const dumps = leaveDumps(dumpDir, false, installed?.host ?? thisHost())[0]?.text ?? `no ${dumpDir}`;
      this.#report = `core_pattern ${pattern}; dumps: ${dumps.replace(/:$/, "")}`;
    } catch (error) {
      this.#report = `failed: ${reasonOf(error)}`;
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
    while (hasStore && Date.now() < untilMs && !this.#stop.aborted && isWaiting()) await pause(LOOK_MS, this.#stop);
  }
}
