/**
 * How a role gets on with its store: asked at the start and while there is nothing to do, and learnt from what it does.
 *
 * Until the store has let us in once, a failure makes the role not ready: settings that cannot work stop a rolling upgrade
 * while the former version still serves. From then on it does not: the store is away, dumps wait for it, and no role is
 * better restarted or drained for that. Then the log, a figure and (of an agent) its Lease say so.
 */
import type { Gauge } from "prom-client";
import type { StoreStatus } from "../cluster/policy/agent-status.ts";
import type { StoreSettings } from "../config/store-options.ts";
import { DumpError, mayPass, reasonOf } from "../domain/failures.ts";
import { locationOf, volumeOf } from "../store/ports/location.ts";
import { backoffMs, pause } from "../system/backoff.ts";
import { forgetStart } from "../system/footprint.ts";
import type { RoleLog } from "./role-log.ts";

interface StoreUnderWatch {
  readonly volume: string;
  /** @throws why it does not let us in */
  readonly probe: (signal: AbortSignal) => Promise<unknown>;
  readonly log: RoleLog;
  readonly up: Gauge;
  /** Which failures make the role not ready until the store has let us in; default: any. */
  readonly blocks?: (error: unknown) => boolean;
}

/** Idle for so long, it is asked again: each time is a request or two for each node. */
const IDLE_MS = 30 * 60_000;
/** While it does not let us in. */
const MOST_MS = 30_000;
const FIRST_TRIES = 4;

export class StoreHealth {
  readonly #of: StoreUnderWatch;
  readonly #now: () => Date;
  #status: StoreStatus;
  #isProven = false;
  #news = Promise.withResolvers<void>();

  constructor(of: StoreUnderWatch, now: () => Date = () => new Date()) {
    this.#of = of;
    this.#now = now;
    this.#status = { volume: of.volume, isUp: undefined, since: now().toISOString() };
  }

  get status(): StoreStatus {
    return this.#status;
  }

  /** Runs until the signal. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.#of.probe(signal);
        this.saw(undefined);
      } catch (error) {
        if (signal.aborted) return;
        this.saw(error);
      }
      failures = this.#status.isUp ? 0 : failures + 1;
      const waitMs = failures > 0 ? backoffMs(failures + FIRST_TRIES, MOST_MS) : IDLE_MS * (0.75 + Math.random() / 2);
      this.#news = Promise.withResolvers();
      await Promise.race([pause(waitMs, signal), this.#news.promise]);
    }
  }

  /** What came of an act on the store. @param error undefined: it did it; what is not the store's says nothing of it */
  saw(error: unknown): void {
    const { log, up, volume, blocks = () => true } = this.#of;
    if (error !== undefined && !isStores(error)) return;
    const wasUp = this.#status.isUp;
    const isUp = error === undefined;
    const since = wasUp === isUp ? this.#status.since : this.#now().toISOString();
    this.#status = { volume, isUp, since, ...(isUp ? {} : wordsOf(error)) };
    this.#isProven ||= isUp;
    up.set(isUp ? 1 : 0);
    const isBlocked = !isUp && !this.#isProven && blocks(error);
    log.trouble("store", isBlocked ? error : undefined);
    log.state("store", isUp || isBlocked ? undefined : reasonOf(error), "warn");
    if (wasUp && !isUp) this.#news.resolve(); // asked again soon, so that it is known when it is back
  }
}

/** @param probeOf  how this role asks the store @returns undefined where no store is named */
export function healthOf(
  { store, ...settings }: StoreSettings,
  probeOf: (settings: StoreSettings) => StoreUnderWatch["probe"],
  role: Omit<StoreUnderWatch, "volume" | "probe">,
): StoreHealth | undefined {
  if (store === undefined) return undefined;
  const letIn = probeOf({ ...settings, store });
  const probe = async (signal: AbortSignal) => {
    await letIn(signal);
    forgetStart(); // as much as the store's client took to load
  };
  return new StoreHealth({ ...role, volume: volumeOf(locationOf(store)), probe });
}

/** What no patience helps against: the settings do not fit the store. */
export const isForGood = (error: unknown): boolean => error instanceof DumpError && !mayPass(error);

/** Its settings may be what is wrong: files with keys, an authority that cannot be read. */
const isStores = (error: unknown): boolean =>
  !(error instanceof DumpError) || error.code.startsWith("STORE_") || error.code === "SETTINGS_INVALID";

const wordsOf = (error: unknown) => {
  const hint = error instanceof DumpError ? error.hint : undefined;
  return { why: reasonOf(error), ...(hint !== undefined && { hint }) };
};
