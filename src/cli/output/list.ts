/** `list` in the format asked for. */
import type { DumpRecord } from "../../domain/dump.ts";
import { shortId } from "../../domain/id.ts";
import { traitsOf } from "../../domain/states.ts";
import { ago, completeness, programName, size, who } from "./describe.ts";
import { rendered } from "./document.ts";
import { type Colour, type Column, table } from "./table.ts";

/** Many dumps, in the format asked for; a table without rows is nothing at all. */
export const render = (records: readonly DumpRecord[], format: string, now: Date): Promise<string> =>
  rendered(records, format, () =>
    records.length === 0 ? "" : table(format === "wide" ? wide(now) : narrow(now), records),
  );

/** Of a state as the API says it, which may be one that we do not know. */
export const colourOf = (state: string | undefined): Colour | undefined => traitsOf(state)?.colour;

const narrow = (now: Date): readonly Column<DumpRecord>[] => [
  { title: "ID", text: ({ id }) => shortId(id) },
  { title: "STATE", text: ({ state }) => state, colour: ({ state }) => colourOf(state) },
  { title: "WHEN", text: ({ dumptime }) => ago(dumptime, now) },
  { title: "WHO", text: who, maxColumns: 48 },
  { title: "EXECUTABLE", text: ({ executable, comm }) => programName(executable, comm), maxColumns: 32 },
  { title: "SIGNAL", text: ({ signal }) => signal?.name, maxColumns: 12 },
  { title: "SIZE", text: size },
  { title: "COMPLETE", text: completeness, colour: ({ core }) => (core.complete === false ? "yellow" : undefined) },
  { title: "CRASH", text: ({ crash }) => crash?.title, none: "-", maxColumns: 64 },
];

/** Everything in full, for screens that scroll and for `grep`. */
const wide = (now: Date): readonly Column<DumpRecord>[] => [
  { title: "FULL ID", text: ({ id }) => id },
  ...narrow(now).map(({ maxColumns: _, ...column }) => column),
  { title: "PID", text: ({ hostPid }) => hostPid },
  { title: "UID", text: ({ processUid }) => processUid },
  { title: "NODE", text: ({ node }) => node },
  { title: "IMAGE", text: ({ container }) => (container ? container.image : "-") },
  { title: "EXE", text: ({ exe }) => exe },
  { title: "DUMPED", text: ({ dumptime }) => dumptime },
];
