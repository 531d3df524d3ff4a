/**
 * Leader election by a Lease, as Kubernetes's own controllers do it: the holder renews it; a candidate that has seen no renewal
 * for its duration, by its own clock, may take it. Clocks are never compared. It keeps two from doing the same work; that the
 * work stays right when two do it for a moment all the same (a process that was stopped and goes on) is the work's own matter.
 */

import { performance } from "node:perf_hooks";
import { isCode } from "../domain/failures.ts";
import { pause } from "../system/backoff.ts";
import { ifThere } from "./failures.ts";
import type { KubeHttp } from "./http.ts";
import { collection, type KubeObject, member } from "./objects.ts";

export interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

interface Candidate {
  readonly namespace: string;
  readonly lease: string;
  /** Different for every process. */
  readonly identity: string;
  readonly durationS: number;
  /** Gets why the Lease could not be looked at, and undefined at each look that went well, whichever candidate holds it. */
  readonly onProblem: (problem: unknown) => void;
}

const API = "coordination.k8s.io/v1";

export const leasesPath = (namespace: string): string => collection(API, "leases", namespace);
export const leasePath = (namespace: string, name: string): string => member(API, "leases", name, namespace);

/**
 * Does `work` while leading; its signal aborts when the lead is lost, and then it is waited for. Runs until `signal` aborts;
 * then the lease is given up at once, so that the next one need not wait.
 */
export async function lead(
  http: KubeHttp,
  candidate: Candidate,
  work: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const claim = new LeaseHold(http, candidate);
  while (!signal.aborted) {
    if (await look(claim, candidate)) await leadWhile(claim, candidate, work, signal);
    else await pause((candidate.durationS * 1000) / 7, signal);
  }
}

/** @returns whether it is ours now */
async function look(claim: LeaseHold, { onProblem }: Candidate, signal?: AbortSignal): Promise<boolean | undefined> {
  try {
    const isOurs = await claim.renew(signal);
    onProblem(undefined);
    return isOurs;
  } catch (error) {
    onProblem(error);
    return undefined;
  }
}

async function leadWhile(
  claim: LeaseHold,
  candidate: Candidate,
  work: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { durationS, onProblem } = candidate;
  const lost = new AbortController();
  const working = work(AbortSignal.any([signal, lost.signal])).finally(() => lost.abort());
  const until = AbortSignal.any([signal, lost.signal]);
  const deadlineMs = (durationS * 1000 * 2) / 3; // given up well before anybody else may take it
  for (let renewedMs = performance.now(); !until.aborted; ) {
    await pause((durationS * 1000) / 4, until);
    if (until.aborted) break;
    const leftMs = Math.ceil(renewedMs + deadlineMs - performance.now());
    const isOurs = leftMs > 0 && (await look(claim, candidate, AbortSignal.timeout(leftMs)));
    if (isOurs === false) lost.abort();
    if (isOurs) renewedMs = performance.now();
  }
  try {
    await working;
  } finally {
    await claim.release().catch(onProblem);
  }
}

class LeaseHold {
  readonly #http: KubeHttp;
  readonly #candidate: Candidate;
  /** The other's version last seen, and since when it is the same. */
  #seen = { resourceVersion: "", sinceMs: 0 };
  #held: Lease | undefined;

  constructor(http: KubeHttp, candidate: Candidate) {
    this.#http = http;
    this.#candidate = candidate;
  }

  /** @returns whether it is ours */
  async renew(signal?: AbortSignal): Promise<boolean> {
    const { identity } = this.#candidate;
    try {
      const lease = this.#held ?? (await this.#read(signal));
      if (lease && lease.spec?.holderIdentity !== identity && !this.#isFree(lease)) return false;
      this.#held = await (lease ? this.#write(lease, identity, signal) : this.#create(signal));
      return true;
    } catch (error) {
      this.#held = undefined;
      if (isCode(error, "API_CONFLICT")) return false; // another was quicker; look again
      throw error;
    }
  }

  async release(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    if (held) await this.#write(held, "", AbortSignal.timeout(2000));
  }

  #isFree({ metadata: { resourceVersion }, spec }: Lease): boolean {
    if (!spec?.holderIdentity) return true;
    const nowMs = performance.now();
    if (this.#seen.resourceVersion !== resourceVersion) this.#seen = { resourceVersion, sinceMs: nowMs };
    return nowMs - this.#seen.sinceMs > (spec.leaseDurationSeconds ?? this.#candidate.durationS) * 1000;
  }

  async #read(signal?: AbortSignal): Promise<Lease | undefined> {
    return await ifThere(this.#http.json<Lease>({ verb: "get", resource: "leases", path: this.#path, signal }));
  }

  #create(signal?: AbortSignal): Promise<Lease> {
    const { namespace, lease: name, identity } = this.#candidate;
    const body = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name, namespace },
      spec: this.#spec(undefined, identity),
    };
    return this.#http.json({ verb: "create", resource: "leases", path: leasesPath(namespace), body, signal });
  }

  #write(lease: Lease, identity: string, signal?: AbortSignal): Promise<Lease> {
    const body = { ...lease, spec: this.#spec(lease, identity) };
    return this.#http.json({ verb: "update", resource: "leases", path: this.#path, body, signal });
  }

  #spec(lease: Lease | undefined, identity: string): Lease["spec"] {
    const now = new Date().toISOString().replace("Z", "000Z"); // MicroTime wants six digits
    const { holderIdentity, acquireTime = now, leaseTransitions = 0 } = lease?.spec ?? {};
    const same = holderIdentity === identity || identity === "";
    return {
      holderIdentity: identity,
      leaseDurationSeconds: identity === "" ? 1 : this.#candidate.durationS,
      acquireTime: same ? acquireTime : now,
      renewTime: now,
      leaseTransitions: leaseTransitions + (same || lease === undefined ? 0 : 1),
    };
  }

  get #path(): string {
    return leasePath(this.#candidate.namespace, this.#candidate.lease);
  }
}
