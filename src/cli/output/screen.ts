/** A record of this node on one screen: what happened, what it means, what to do next. */
import type { DumpRecord } from "../../domain/dump.ts";
import { shortId } from "../../domain/id.ts";
import { printable } from "../../domain/text.ts";
import { isHeld, safeName, shortfall, whyNotHeld } from "./describe.ts";
import { coreLines, pasteLines, screenOf } from "./lines.ts";
import { colourOf } from "./list.ts";
import { coloured } from "./table.ts";
import { clip } from "./width.ts";

/** A command line has up to 128 KiB. */
const TITLE_COLUMNS = 400;

/**
 * @param flags what the commands to paste need besides, with a blank in front
 * @param title the process's command line, where the node still has it
 */
export function screen(record: DumpRecord, flags = "", title?: string): string {
  const { state, message, core } = record;
  const held = isHeld(record);
  const verdict = held && core.complete !== null ? [core.complete ? "complete" : "incomplete"] : [];
  return screenOf(record, {
    name: shortId(record.id),
    words: [coloured(colourOf(state), state), ...verdict],
    Process: [...pids(record), title && clip(printable(title), TITLE_COLUMNS)],
    Core: held ? coreHere(record) : [`not held: ${whyNotHeld(record)}`],
    Claim: claim(record),
    // Of a core that is not held, or cut short, the lines above have said it.
    Note: message === null || record.reason === "Truncated" || !held ? [] : [printable(message)],
    Next: held ? next(record, flags) : [],
  });
}

function pids({ hostPid, containerPid, processUid, processGid, exe, owner }: DumpRecord): (string | undefined)[] {
  const inside = containerPid === null || owner === "host" ? "" : ` (${containerPid} in its container)`;
  return [
    `pid ${hostPid}${inside}, uid ${processUid ?? "unknown"}, gid ${processGid ?? "unknown"}`,
    exe === null ? undefined : printable(exe),
  ];
}

function coreHere(record: DumpRecord): (string | undefined)[] {
  const { reason, message, core } = record;
  // The record's own sentence knows what stopped it, where that is known.
  const cut = reason === "Truncated" && message !== null ? printable(message) : shortfall(record);
  return [
    ...coreLines(record, cut),
    core.sha256 === null ? "checksum not known yet" : undefined,
    core.path === null ? undefined : printable(core.path),
  ];
}

/** The copy for the pod's own claim, where its owner wants one. */
function claim({ delivery }: DumpRecord): string[] {
  if (!delivery) return [];
  const { state, claim, message } = delivery;
  const why = message === null ? "" : `: ${printable(message)}`;
  const word = { Pending: "not there yet", Delivered: "delivered", GivenUp: "not delivered" }[state];
  return [`${printable(claim)}, ${word}${why}`];
}

function next({ id, executable }: DumpRecord, flags: string): readonly (string | undefined)[] {
  const name = shortId(id);
  return pasteLines([
    [`coredump-detector dump ${name} ${safeName(executable)}.core${flags}`, "copy the core out of the cache"],
    [`coredump-detector verify ${name}${flags}`, "prove that it is whole"],
  ]);
}
