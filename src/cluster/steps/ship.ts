/** The only step that takes memory off the node: the core is dropped once the store has said what it holds. */
import { DumpError, FAILURES, reasonOf } from "../../domain/failures.ts";
import type { Coredump } from "../../kube/coredump.ts";
import { decide, decideOnDisk } from "../../node/cache/decide.ts";
import { readRecord } from "../../node/cache/record.ts";
import type { PodRecord } from "../registration/coredump.ts";
import type { DumpContext, Next } from "./context.ts";
import { report, reported } from "./report.ts";

/** @throws what the store said; the object says it, too */
export async function ship(context: DumpContext, record: PodRecord, coredump: Coredump): Promise<Next> {
  const { entry, signal, storeDownSince } = context;
  if (!context.ship) return "hold";
  if (!context.mayShip) return "ship";
  try {
    const bundle = await context.ship(record, entry, signal);
    const change = { bundle, reason: null, message: null };
    await report(context, await decideOnDisk(entry, record, "Saved", change, context.now()), coredump);
    return "done";
  } catch (error) {
    if (signal.aborted || readRecord(entry)?.state === "Saved") throw error;
    const message = whyNotStored(error, storeDownSince?.());
    await reported(context, decide(entry, record, "FailedToSave", { message }, context.now()), coredump);
    throw error;
  }
}

/** The store's own words, since when, and what is next: the same at each try of one outage, so that it is reported once. */
function whyNotStored(error: unknown, since: string | undefined): string {
  const { code, hint } =
    error instanceof DumpError ? (error as DumpError) : { code: "UNEXPECTED" as const, hint: undefined };
  const next = FAILURES[code].retry
    ? "the node goes on trying"
    : `${hint ?? "see the agent's log"}; then the node goes on`;
  return `${reasonOf(error)}${code.startsWith("STORE_") && since !== undefined ? `, since ${since}` : ""}; ${next}`;
}
