/** What one who watches all Coredumps sees: when each is there first, and each verdict on it. */

import type { Coredump } from "../../src/kube/coredump.ts";
import type { KubeHttp } from "../../src/kube/http.ts";
import { follow } from "../../src/kube/informer.ts";
import { COREDUMP_API, collection } from "../../src/kube/objects.ts";

export interface Seen {
  readonly node: string;
  readonly namespace: string;
  /** From the crash to the object, and to the verdict; this machine has one clock. */
  readonly visibleMs: number;
  decidedMs: number | undefined;
  /** All that the controller ever said: one, when all is well. */
  readonly verdicts: Set<string>;
  state: string;
}

export class Book {
  readonly dumps = new Map<string, Seen>();
  /** Names of objects by id: one each. */
  readonly names = new Map<string, Set<string>>();

  /** Until the signal. */
  follow(http: KubeHttp, signal: AbortSignal): Promise<void> {
    const follower = {
      listed: (coredump: Coredump) => this.#see(coredump),
      listEnded: () => undefined,
      changed: (coredump: Coredump) => this.#see(coredump),
      deleted: () => undefined,
    };
    const kind = { resource: "coredumps", path: collection(COREDUMP_API, "coredumps") };
    return follow(http, kind, follower, () => undefined, signal);
  }

  count(isSuch: (dump: Seen) => boolean): number {
    return this.dumps.values().reduce((sum, dump) => sum + (isSuch(dump) ? 1 : 0), 0);
  }

  #see({ metadata, spec, status }: Coredump): void {
    const { id = "", node = "" } = spec;
    const sinceMs = Date.now() - Date.parse(spec.dumptime ?? "");
    const namespace = metadata.namespace ?? "";
    const seen: Seen = this.dumps.get(id) ?? {
      ...{ node, namespace, visibleMs: sinceMs, decidedMs: undefined },
      ...{ verdicts: new Set<string>(), state: "" },
    };
    this.dumps.set(id, seen);
    this.names.set(id, (this.names.get(id) ?? new Set()).add(`${namespace}/${metadata.name}`));
    seen.state = status?.state ?? "";
    if (seen.state !== "Allowed" && seen.state !== "Denied") return;
    seen.decidedMs ??= sinceMs;
    seen.verdicts.add(seen.state);
  }
}
