/**
 * Carries out the quota's verdicts, namespace by namespace.
 *
 * Two controllers may do this at once for a moment (one was stopped, and goes on), and either may die between two writes. So
 * `status.used` of the quotas is a ledger: room is charged there first, then denials are published, then allowances, and each
 * write counts only if the object has not changed meanwhile. A controller that finds another sum in the ledger, written
 * by another controller, reads the dumps again before it goes on. A charge without its verdict is undone by the next adding-up.
 */

import { DumpError, isCode } from "../../domain/failures.ts";
import type { Coredump } from "../../kube/coredump.ts";
import { ifThere } from "../../kube/failures.ts";
import { type KubeHttp, MERGE_PATCH } from "../../kube/http.ts";
import type { Mirror, Mirrored } from "../../kube/mirror.ts";
import { COREDUMP_API, collection, type KubeObject, member } from "../../kube/objects.ts";
import { readList } from "../../kube/read-list.ts";
import { isCounted, type Judgement, judge, type QuotaVerdict, statusFor } from "../policy/quota.ts";
import type { DumpView, QuotaObject, QuotaView } from "./view.ts";

/** Writes at once in one namespace. */
const AT_ONCE = 8;

export class QuotaKeeper {
  readonly #http: KubeHttp;
  readonly #dumps: Mirror<Coredump, DumpView>;
  readonly #quotas: Mirror<QuotaObject, QuotaView>;
  /** By uid, the version of a quota up to which our view of the dumps is at least as new as its writer's. */
  readonly #confirmed = new Map<string, string>();

  constructor(http: KubeHttp, dumps: Mirror<Coredump, DumpView>, quotas: Mirror<QuotaObject, QuotaView>) {
    this.#http = http;
    this.#dumps = dumps;
    this.#quotas = quotas;
  }

  /** All dumps were listed, after all quotas: no ledger knows of a dump that we do not. */
  confirmAll(): void {
    for (const namespace of this.#quotas.namespaces()) this.#confirm(this.#quotas.in(namespace));
  }

  /**
   * One round. @returns what was decided, and done
   * @throws DumpError API_CONFLICT when another wrote in between: what was seen is up to date now, come again
   */
  async keep(namespace: string, signal: AbortSignal): Promise<Judgement<DumpView>> {
    let judgement = this.#judge(namespace);
    if (judgement.allowed.length + judgement.denied.length > 0) {
      // Neither verdict is taken back, so neither is to rest on limits that a watch has not delivered yet.
      await this.#lookAnew("coredumpquotas", this.#quotas, namespace, signal);
      judgement = this.#judge(namespace);
    }
    if (this.#isDoubtful(namespace, judgement.beforeNanos)) {
      const quotas = this.#quotas.in(namespace);
      await this.#lookAnew("coredumps", this.#dumps, namespace, signal);
      this.#confirm(quotas);
      judgement = this.#judge(namespace);
    }
    const { allowed, denied, beforeNanos, afterNanos } = judgement;
    // Two steps, lest dumps that come be set off against dumps that go without a write that others would notice.
    if (allowed.length > 0) await this.#writeLedger(namespace, beforeNanos, signal);
    await this.#writeLedger(namespace, afterNanos, signal);
    // The denied first: what another is about to allow, and we are not, is out of its reach before we use its room.
    await inTurns(denied, (verdict) => this.#tell(verdict, signal));
    await inTurns(allowed, (verdict) => this.#tell(verdict, signal));
    return judgement;
  }

  #judge = (namespace: string): Judgement<DumpView> => judge(this.#dumps.in(namespace), this.#quotas.in(namespace));

  #isDoubtful(namespace: string, usedNanos: bigint): boolean {
    return this.#quotas.in(namespace).some((quota) => {
      const isOurs = this.#confirmed.get(quota.uid) === quota.resourceVersion;
      return !isOurs && quota.statusUsed !== undefined && !isCounted(quota, usedNanos);
    });
  }

  #confirm(quotas: readonly QuotaView[]): void {
    for (const { uid, resourceVersion } of quotas) this.#confirmed.set(uid, resourceVersion);
  }

  /** What the API server says now, not what its watch has delivered so far. */
  async #lookAnew<O extends KubeObject, M extends Mirrored>(
    kind: string,
    mirror: Mirror<O, M>,
    namespace: string,
    signal: AbortSignal,
  ): Promise<void> {
    const path = collection(COREDUMP_API, kind, namespace);
    const seen = new Set<string>();
    const body = await this.#http.stream({ verb: "list", resource: kind, path, signal });
    const head = await readList(body, (item) => {
      const object = item as O;
      seen.add(object.metadata.uid);
      mirror.put(object);
    });
    const listedAt = BigInt(head.metadata?.resourceVersion ?? 0);
    for (const { name, uid, resourceVersion } of mirror.in(namespace))
      if (!seen.has(uid) && BigInt(resourceVersion) <= listedAt) mirror.remove(namespace, name, uid);
  }

  async #writeLedger(namespace: string, usedNanos: bigint, signal: AbortSignal): Promise<void> {
    for (const quota of this.#quotas.in(namespace)) {
      const status = statusFor(quota, usedNanos);
      if (!status) continue;
      const written = await this.#patchStatus("coredumpquotas", quota, status, this.#quotas, signal);
      this.#confirmed.set(written.metadata.uid, written.metadata.resourceVersion);
    }
  }

  async #tell({ dump, denial }: QuotaVerdict<DumpView>, signal: AbortSignal): Promise<void> {
    const status =
      denial === null
        ? { state: "Allowed", reason: null, message: null }
        : { state: "Denied", reason: "OverQuota", message: denial };
    await this.#patchStatus("coredumps", dump, status, this.#dumps, signal);
  }

  async #patchStatus<O extends KubeObject, M extends Mirrored>(
    kind: string,
    { namespace, name, uid, resourceVersion }: M,
    status: object,
    mirror: Mirror<O, M>,
    signal: AbortSignal,
  ): Promise<O> {
    const path = member(COREDUMP_API, kind, name, namespace);
    const body = { metadata: { uid, resourceVersion }, status };
    const patch = { verb: "patch", resource: `${kind}/status`, path: `${path}/status`, body, signal } as const;
    try {
      const written = await this.#http.json<O>({ ...patch, contentType: MERGE_PATCH });
      mirror.put(written);
      return written;
    } catch (error) {
      if (!isCode(error, "API_CONFLICT", "NOT_FOUND")) throw error;
      const now = await ifThere(this.#http.json<O>({ verb: "get", resource: kind, path, signal }));
      if (now) mirror.put(now);
      else mirror.remove(namespace, name, uid);
      throw new DumpError("API_CONFLICT", (error as Error).message, { cause: error });
    }
  }
}

/** All of them, even when one fails; then the first failure. */
async function inTurns<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const failures: unknown[] = [];
  const worker = async () => {
    for (const item of queue) await act(item).catch((error) => failures.push(error));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (failures.length > 0) throw failures[0];
}
