/**
 * A dump's way from the node into the cluster: what its record and its object say gives the one next step, until there is
 * none now. Each step is idempotent and runs under the record's lock: agent, lone handler and `sweep` take the same ones. A
 * step that fails throws, and leaves the record where it was; nothing is dropped but by a decision that was read (rule 9).
 */
import { existsSync } from "node:fs";
import type { DumpRecord } from "../../domain/dump.ts";
import { isAllowed, mayFollow, type State } from "../../domain/states.ts";
import type { Coredump } from "../../kube/coredump.ts";
import { endThoseOver } from "../../node/cache/ended.ts";
import { readRecord } from "../../node/cache/record.ts";
import { restrictIfUnknown } from "../../node/cache/seal.ts";
import { hasPod, type PodRecord } from "../registration/coredump.ts";
import { announce } from "./announce.ts";
import type { DumpContext, Next, Sides } from "./context.ts";
import { allow, deny, followRetention, tell, tellMeanwhile } from "./decisions.ts";
import { isDeliveryPending } from "./deliver.ts";
import { prepared } from "./prepare.ts";
import { judgeAbsence, look, register } from "./register.ts";
import { ship } from "./ship.ts";

type DumpStep = (context: DumpContext, record: PodRecord, coredump: Coredump) => Promise<Sides | Next>;
type WayRow = readonly [record: (record: PodRecord) => boolean, object: (state: string) => boolean, step: DumpStep];

const any = (): boolean => true;
const isNew = ({ cluster }: DumpRecord): boolean => cluster === null;
const mayLeave = ({ state }: DumpRecord): boolean => isAllowed(state);
const mayBeDenied = ({ state }: DumpRecord): boolean => mayFollow(state, "Denied");
const inState = (wanted: State) => (record: DumpRecord) => record.state === wanted;
const is = (wanted: string) => (state: string) => state === wanted;
const end = async (): Promise<Next> => "done";
const wait = async (): Promise<Next> => "waiting";

/** The first row that fits. */
// biome-ignore format: a table
const WAY: readonly WayRow[] = [
  // the record                                its object      the next step
  [(r) => isNew(r) && r.state === "Deleted",   any,            end],
  [isNew,                                      any,            register],
  [any,                                        is("unread"),   look],
  [inState("Deleted"),                         is("vanished"), end],
  [any,                                        is("vanished"), judgeAbsence],
  [inState("Saved"),                           is("Deleted"),  followRetention],
  [isDeliveryPending,                          is("Denied"),   wait], // its own claim first: no decision lets the core go before
  [inState("Created"),                         is("Allowed"),  allow],
  [isDeliveryPending,                          any,            tellMeanwhile],
  [mayBeDenied,                                is("Denied"),   deny],
  [mayLeave,                                   isAllowed,      ship],
  [any,                                        any,            tell],
];

/** The object's state in the API, "" where it has none; `unread`, `vanished` where there is no object at hand. */
const stateOf = ({ coredump }: Sides): string =>
  typeof coredump === "string" ? coredump : (coredump.status?.state ?? "");

/** Takes the dump as far as it goes now, and moves it away when it is over. @throws whatever stood in the way; DumpErrors say whether it may pass */
export async function advanceDump(context: DumpContext): Promise<Next> {
  const next = await takeSteps(context);
  if (next === "done") await endThoseOver([context.entry], () => true);
  return next;
}

async function takeSteps(context: DumpContext): Promise<Next> {
  const { entry } = context;
  // Before there is a record the lock is its handler's to take.
  if (!existsSync(entry.record)) return existsSync(entry.dir) ? "busy" : "done";
  using lock = entry.tryLock();
  if (!lock) {
    await announce(context);
    return "busy";
  }
  const found = readRecord(entry);
  if (!found) return "done"; // the next to open the cache finishes it first
  if (found.state === "Capturing") return "waiting";
  const known = restrictIfUnknown(entry, found, context.now());
  const record = known.cluster ? known : await prepared(context, known);
  if (!hasPod(record)) return record.owner === "unknown" ? "hold" : "done";
  let sides: Sides | Next = { record, coredump: "unread" };
  while (typeof sides !== "string") sides = await stepFor(sides)(context, sides.record, sides.coredump as Coredump);
  return sides;
}

/** Steps that need the object stand below those that look for it. */
function stepFor(sides: Sides): DumpStep {
  const object = stateOf(sides);
  const row = WAY.find(([record, state]) => record(sides.record) && state(object));
  return row?.[2] ?? end;
}
