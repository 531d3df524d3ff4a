/** `list -w`: what is there, then each object that changes, until interrupted. */
import { DumpError, reasonOf } from "../../domain/failures.ts";
import { printable } from "../../domain/text.ts";
import type { Coredump } from "../../kube/coredump.ts";
import { type Follower, follow } from "../../kube/informer.ts";
import { pathOf, queryOf, type Selection } from "../client/objects.ts";
import type { Session } from "../client/session.ts";
import { explained } from "../client/trouble.ts";
import { json, yaml } from "../output/document.ts";
import { print, say } from "../output/print.ts";
import { table } from "../output/table.ts";
import { columns, nameLine } from "./output/rows.ts";

/** Wide enough for what usually comes, so that later lines stand under earlier ones. */
const LEAST_COLUMNS: Readonly<Record<string, number>> = {
  NAME: 44,
  STATE: 12,
  POD: 24,
  CONTAINER: 12,
  EXECUTABLE: 12,
  SIGNAL: 7,
  SIZE: 5,
  NODE: 12,
};

/** @throws DumpError what the first list was refused for, or OUTPUT_CLOSED; Ctrl-C ends it in good order */
export async function watch(
  { http }: Session,
  namespace: string | undefined,
  { isMeant, ...selection }: Selection & { readonly isMeant: (coredump: Coredump) => boolean },
  format: string | undefined,
): Promise<void> {
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  const shown = new Map<string, string>();
  let [failure, lines, begun] = [undefined as unknown, Promise.resolve(), false];
  const show = (coredump: Coredump): void => {
    const { uid, resourceVersion } = coredump.metadata;
    if (shown.get(uid) === resourceVersion || !isMeant(coredump)) return;
    shown.set(uid, resourceVersion);
    const line = rendered(coredump, format, namespace === undefined, shown.size === 1 && !begun);
    begun = true;
    lines = lines
      .then(async () => print(await line))
      .catch((error) => {
        failure ??= error;
        stop();
      });
  };
  const follower: Follower<Coredump> = {
    listed: show,
    listEnded: () => undefined,
    changed: show,
    deleted: (coredump) => show({ ...coredump, status: { ...coredump.status, state: "Deleted" } }),
  };
  const onProblem = (problem: unknown): void => {
    const told = explained(problem, "coredumps", { namespace }, "watch");
    if (told === undefined) return;
    if (isFinal(told)) {
      failure ??= told;
      stop();
    } else say(`warning: ${printable(reasonOf(told))}; trying again`);
  };
  const kind = { resource: "coredumps", path: pathOf("coredumps", namespace), query: queryOf(selection) };
  await follow<Coredump>(http, kind, follower, onProblem, stopping.signal);
  await lines;
  if (failure !== undefined) throw failure;
}

/** What does not go away by itself. */
const isFinal = (error: unknown): boolean =>
  error instanceof DumpError && ["API_DENIED", "API_KIND_MISSING", "API_INVALID"].includes(error.code);

async function rendered(
  coredump: Coredump,
  format: string | undefined,
  namespaces: boolean,
  first: boolean,
): Promise<string> {
  if (format === "json") return json(coredump);
  if (format === "yaml") return `---\n${await yaml(coredump)}`;
  if (format === "name") return nameLine(coredump);
  const wanted = columns(new Date(), { wide: format === "wide", namespaces }).map((column) => ({
    ...column,
    leastColumns: LEAST_COLUMNS[column.title] ?? 10,
  }));
  const [title = "", ...rows] = table(wanted, [coredump]).split(/(?<=\n)/);
  return [...(first ? [title] : []), ...rows].join("");
}
