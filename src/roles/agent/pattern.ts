/**
 * The agent as the one who installs: puts the handler on the node, makes the kernel call it, and sees to it that this stays
 * so. At its own end it changes nothing: between two agents, and without any, crashes are captured all the same.
 */
import { existsSync } from "node:fs";
import { DumpError } from "../../domain/failures.ts";
import { type Host, seen } from "../../node/install/host.ts";
import { type InstallOrder, install } from "../../node/install/install.ts";
import { placesFor } from "../../node/install/place.ts";
import { programOf, readPattern, readSetting } from "../../node/kernel/core-pattern.ts";
import { repeat } from "../../system/backoff.ts";
import type { AgentLog } from "./agent-log.ts";

export interface PatternOrder {
  readonly host: Host;
  readonly binDir: string;
  /** The executable to put there (default: our own). */
  readonly from?: string;
  readonly settings: InstallOrder["settings"];
  readonly onConflict: "report" | "retake";
}

/** Gets what is wrong there, what was installed, and that another program has taken the pattern: once for each time. */
export type PatternLog = Pick<AgentLog, "trouble" | "installed" | "conflict">;

const LOOK_MS = 10_000;

/** Runs until the signal. Whatever fails is reported and tried again. */
export async function keepPattern(
  order: PatternOrder,
  log: PatternLog,
  signal: AbortSignal,
  { lookMs = LOOK_MS }: { readonly lookMs?: number } = {},
): Promise<void> {
  const keeper = new PatternKeeper(order, log);
  await repeat(
    () => keeper.look(),
    lookMs,
    (problem) => log.trouble("handler", problem),
    signal,
  );
}

class PatternKeeper {
  readonly #order: PatternOrder;
  readonly #log: PatternLog;
  #isInstalled = false;
  #others: string | undefined;

  constructor(order: PatternOrder, log: PatternLog) {
    this.#order = order;
    this.#log = log;
  }

  async look(): Promise<void> {
    const { host, binDir, onConflict } = this.#order;
    const { binary } = placesFor(binDir, host);
    if (!this.#isInstalled || !existsSync(seen(host, binary))) return await this.#install(false);
    const pattern = readPattern(host.procSys);
    const isOurs = programOf(pattern) === binary && Number(readSetting("pipeLimit", host.procSys)) > 0;
    if (isOurs) return this.#well();
    if (this.#others !== pattern) this.#log.conflict(pattern);
    this.#others = pattern;
    if (onConflict === "retake") return await this.#install(true);
    const hint = "Crashes are not captured: see who sets it, or start the agents with --on-conflict=retake";
    this.#log.trouble("pattern", new DumpError("PATTERN_REFUSED", `core_pattern is ${pattern}: not ours`, { hint }));
  }

  async #install(patternOnly: boolean): Promise<void> {
    const { host, onConflict: _, ...order } = this.#order;
    const steps = await install({ ...order, settingsAreAll: true, patternOnly, atBoot: false }, host, new Date());
    this.#isInstalled = true;
    this.#log.installed(steps);
    this.#well();
  }

  #well(): void {
    this.#others = undefined;
    this.#log.trouble("pattern", undefined);
  }
}
