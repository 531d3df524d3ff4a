/** The collector's rounds: look, judge, and do what the verdicts say (docs/architecture.md, Collector). */
import type { GcSettings } from "../config/gc-options.ts";
import { DumpError } from "../domain/failures.ts";
import { isTooMuch, retention } from "../policy/retention.ts";
import type { BundleView, Missed, Verdicts } from "../policy/retention-world.ts";
import { claim } from "../retention/claim.ts";
import { bundlesIn, type UploadToAbort, uploadsIn } from "../retention/inventory.ts";
import { merged, missedIn, NOTE, noteText } from "../retention/note.ts";
import { type Act, actsOf, type Tools } from "./gc-acts.ts";

export interface Surroundings extends Tools {
  readonly settings: GcSettings;
  /** uid of the namespace kube-system. */
  readonly clusterUid: string;
  /** Hears of each act that was done; in a dry run, of each that would be. */
  done(act: Act): void;
  /** Hears of all bundles that there are. */
  counted(bundles: readonly BundleView[]): void;
}

export class GcRounds {
  readonly #with: Surroundings;
  /** What the note in the store says; read once, for nobody else writes it while we lead. */
  #missed: Missed | undefined;
  /** Bundles at the last whole round, and how many have gone since. */
  #all = 0;
  #gone = 0;

  constructor(surroundings: Surroundings) {
    this.#with = surroundings;
  }

  /**
   * @param scope  a namespace, or "" for everything
   * @returns when there will be something to do, in milliseconds of the epoch
   * @throws DumpError RETENTION_STOPPED when something is wrong; what failed first, when all that can be done has been
   */
  async round(scope: string, signal: AbortSignal): Promise<number | undefined> {
    const { verdicts, uploads } = await this.#judge(scope, signal);
    this.#mustBeSane(verdicts);
    await this.#keepNote(scope, verdicts.missed, signal);
    await this.#carryOut(actsOf(verdicts, uploads, this.#with), signal);
    return verdicts.nextMs;
  }

  async #judge(scope: string, signal: AbortSignal): Promise<{ verdicts: Verdicts; uploads: UploadToAbort[] }> {
    const { settings, shelf, cluster, counted } = this.#with;
    await cluster.mustServeCoredumps(signal);
    const saved = cluster.world(scope).records.filter(({ state }) => state === "Saved");
    const bundles = await bundlesIn(shelf, scope === "" ? "" : `${scope}/`, signal);
    if (scope === "") {
      [this.#all, this.#gone] = [bundles.length, 0];
      counted(bundles);
    }
    await this.#mustBeOurs(scope === "" && bundles.length === 0 ? saved.length : 0, signal);
    const uploads = scope === "" ? await uploadsIn(shelf, signal) : [];
    const missed = await this.#note(signal);
    const savedBefore = new Set(saved.map(({ uid }) => uid));
    const world = { ...cluster.world(scope), bundles, uploads, savedBefore, missed };
    return { verdicts: retention(world, settings, Date.now()), uploads };
  }

  /** @param believed  bundles that the cluster believes in, where there is none */
  async #mustBeOurs(believed: number, signal: AbortSignal): Promise<void> {
    const { settings, shelf, clusterUid } = this.#with;
    const isMarked = await claim(shelf, clusterUid, !settings.dryRun && believed === 0, signal);
    if (!isMarked && believed > 0)
      throw new DumpError(
        "RETENTION_STOPPED",
        `Cannot look after ${shelf.volume}: it is empty, and ${believed} Coredumps are Saved`,
        { hint: "most likely the volume is not mounted, or --store is not the agents' one" },
      );
  }

  #mustBeSane({ bundles, records }: Verdicts): void {
    const { settings, cluster } = this.#with;
    const all = cluster.world("").records.length;
    const [going, deletions] = [bundles.length + this.#gone, records.filter(({ act }) => act === "delete").length];
    if (isTooMuch(going, this.#all, settings)) throw tooMuch(`${going} of ${this.#all} bundles`);
    if (isTooMuch(deletions, all, settings)) throw tooMuch(`${deletions} of ${all} Coredumps`);
  }

  async #note(signal: AbortSignal): Promise<Missed> {
    const { shelf, clusterUid } = this.#with;
    this.#missed ??= missedIn(await shelf.readNote(NOTE, signal), clusterUid);
    return this.#missed;
  }

  /** Before anything is done: deadlines that have begun go on, whoever goes on with them. */
  async #keepNote(scope: string, missed: Missed, signal: AbortSignal): Promise<void> {
    const { settings, shelf, clusterUid } = this.#with;
    const before = await this.#note(signal);
    const now = scope === "" ? missed : merged(before, missed);
    const text = noteText(clusterUid, now);
    if (settings.dryRun || text === noteText(clusterUid, before)) return;
    await shelf.writeNote(NOTE, text, signal);
    this.#missed = now;
  }

  async #carryOut(acts: readonly Act[], signal: AbortSignal): Promise<void> {
    const { settings, done } = this.#with;
    const failed = new Set<string>();
    let failure: unknown;
    for (const act of acts) {
      signal.throwIfAborted();
      if (act.dump !== "" && failed.has(act.dump)) continue;
      try {
        if (!settings.dryRun) await act.run(signal);
        if (act.what === "bundle") this.#gone++;
        done(act);
      } catch (error) {
        failed.add(act.dump);
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
  }
}

const tooMuch = (what: string): DumpError =>
  new DumpError("RETENTION_STOPPED", `Cannot remove ${what} at once: something else is more likely to be wrong`, {
    hint: "if they are to go, start the collector with --max-share 100 for once; --dry-run prints them",
  });
