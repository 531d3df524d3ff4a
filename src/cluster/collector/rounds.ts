/** The collector's rounds: look, judge, and do what the verdicts say (docs/collector.md). */
import { performance } from "node:perf_hooks";
import type { GcSettings } from "../../config/gc-options.ts";
import { DumpError } from "../../domain/failures.ts";
import { retention } from "../policy/retention.ts";
import { sift } from "../policy/retention-alarm.ts";
import type { BundleView, Missed, RetentionWorld, Verdicts } from "../policy/retention-world.ts";
import { bundlesIn, type UploadToAbort, uploadsIn } from "../retention/inventory.ts";
import { merged, missedIn, NOTE, noteText } from "../retention/note.ts";
import { isOurs, mark, mustFit } from "../retention/ownership.ts";
import { type Act, actsOf, type Tools } from "./acts.ts";
import { reread } from "./reread.ts";

interface RoundContext extends Tools {
  readonly settings: GcSettings;
  /** uid of the namespace kube-system. */
  readonly clusterUid: string;
  /** Hears of each act that was done; in a dry run, of each that would be. */
  done(act: Act): void;
  /** Hears of all bundles that there are. */
  counted(bundles: readonly BundleView[]): void;
  /** Hears, in each round over everything, of what is held back because too much would go, and why; undefined: nothing is. */
  held(alarm: DumpError | undefined, acts: readonly Act[]): Promise<void>;
}

export class GcRounds {
  readonly #with: RoundContext;
  /** What the note in the store says; read once, because no other writes it while we lead. */
  #missed: Missed | undefined;
  /** Bundles when all were last counted, and how many of those in doubt have gone since the interval began. */
  #interval = { endsMs: 0, bundles: 0, gone: 0 };
  /** What is in doubt waits until a round over everything finds that it is not too much. */
  #isHolding = false;

  constructor(surroundings: RoundContext) {
    this.#with = surroundings;
  }

  /**
   * @param scope  a namespace, or "" for everything
   * @returns when there will be something to do, in milliseconds of the epoch
   * @throws DumpError RETENTION_STOPPED when nothing may be touched; what failed first, when all that can be done has been
   */
  async round(scope: string, signal: AbortSignal): Promise<number | undefined> {
    const { store, cluster } = this.#with;
    await cluster.mustServeCoredumps(signal);
    const saved = cluster.world(scope).records.filter(({ state }) => state === "Saved");
    const bundles = await bundlesIn(store, scope === "" ? "" : `${scope}/`, signal);
    if (scope === "") this.#count(bundles);
    if (!(await this.#mayTouch(scope, bundles, signal))) return Date.now();
    const uploads = scope === "" ? await uploadsIn(store, signal) : [];
    const savedBefore = new Set(saved.map(({ uid }) => uid));
    const world = { ...cluster.world(scope), bundles, uploads, savedBefore, missed: await this.#note(signal) };
    const verdicts = await this.#judge(world, signal);
    const { go, isHeldAnew } = await this.#sift(scope, verdicts, uploads);
    await this.#keepNote(scope, verdicts.missed, signal);
    await this.#carryOut(actsOf(go, uploads, this.#with), doubtful(go), signal);
    return isHeldAnew ? Date.now() : verdicts.nextMs;
  }

  /** @throws DumpError RETENTION_STOPPED */
  async #mayTouch(scope: string, bundles: readonly BundleView[], signal: AbortSignal): Promise<boolean> {
    const { store, cluster, clusterUid, settings } = this.#with;
    if (await isOurs(store, clusterUid, signal)) return true;
    if (scope === "") mustFit(store, bundles, cluster.world("").records);
    if (settings.dryRun) return true;
    if (scope === "") await mark(store, clusterUid, signal);
    return false; // of two that mark it at once, one finds the other's mark the next time
  }

  /** Watches may lag behind: before anything goes, whatever speaks for it is read again. */
  async #judge(world: RetentionWorld, signal: AbortSignal): Promise<Verdicts> {
    const { settings, cluster, http } = this.#with;
    const suspected = concerned(retention(world, settings, Date.now()));
    return retention(await reread(http, cluster, world, suspected, signal), settings, Date.now());
  }

  #count(bundles: readonly BundleView[]): void {
    this.#with.counted(bundles);
    const nowMs = performance.now();
    this.#interval.bundles = bundles.length;
    if (nowMs < this.#interval.endsMs) return;
    this.#interval = { endsMs: nowMs + this.#with.settings.intervalMs, bundles: bundles.length, gone: 0 };
  }

  /** Only a round over everything knows how much there is, and raises the alarm; one over a namespace calls for it. */
  async #sift(scope: string, verdicts: Verdicts, uploads: readonly UploadToAbort[]) {
    const { settings, cluster } = this.#with;
    const { bundles, gone } = this.#interval;
    const stock = { bundles, bundlesGone: gone, coredumps: cluster.world("").records.length };
    if (scope !== "") {
      const { go, alarm } = sift(verdicts, stock, settings, this.#isHolding);
      return { go, isHeldAnew: alarm !== undefined && !this.#isHolding };
    }
    const { go, held, alarm } = sift(verdicts, stock, settings);
    this.#isHolding = alarm !== undefined;
    await this.#with.held(alarm === undefined ? undefined : tooMuch(alarm), actsOf(held, uploads, this.#with));
    return { go, isHeldAnew: false };
  }

  async #note(signal: AbortSignal): Promise<Missed> {
    const { store, clusterUid } = this.#with;
    this.#missed ??= missedIn(await store.readNote(NOTE, signal), clusterUid);
    return this.#missed;
  }

  /** Before anything is done: deadlines that have begun go on, also under another leader. */
  async #keepNote(scope: string, missed: Missed, signal: AbortSignal): Promise<void> {
    const { settings, store, clusterUid } = this.#with;
    const before = await this.#note(signal);
    const now = scope === "" ? missed : merged(before, missed);
    const text = noteText(clusterUid, now);
    if (settings.dryRun || text === noteText(clusterUid, before)) return;
    await store.writeNote(NOTE, text, signal);
    this.#missed = now;
  }

  /** @param inDoubt  keys of the bundles that count for the alarm */
  async #carryOut(acts: readonly Act[], inDoubt: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const { settings, done } = this.#with;
    const failed = new Set<string>();
    let failure: unknown;
    for (const act of acts) {
      signal.throwIfAborted();
      if (act.dump !== "" && failed.has(act.dump)) continue;
      try {
        if (!settings.dryRun) await act.run(signal);
        if (act.what === "bundle") this.#interval.bundles--;
        if (inDoubt.has(act.name)) this.#interval.gone++;
        done(act);
      } catch (error) {
        failed.add(act.dump);
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
  }
}

/** The namespaces in which something would go. */
const concerned = ({ bundles, records, endpoints }: Verdicts): ReadonlySet<string> =>
  new Set([
    ...bundles.flatMap(({ bundle: { namespace } }) => (namespace === "" ? [] : [namespace])),
    ...records.map(({ record: { namespace } }) => namespace),
    ...endpoints.map(({ endpoint: { namespace } }) => namespace),
  ]);

const doubtful = ({ bundles }: Verdicts): ReadonlySet<string> =>
  new Set(bundles.flatMap(({ bundle: { key }, isDoubtful }) => (isDoubtful ? [key] : [])));

const tooMuch = (what: string): DumpError =>
  new DumpError(
    "RETENTION_STOPPED",
    `Cannot remove ${what} at once: no deletion was seen that explains it, so something else may be wrong; the rest goes on`,
    { hint: "gc --dry-run prints them; if they are to go, start the collector with --max-share 100 for once" },
  );
