/** Which objects a command is about: by name, by selectors, all. */
import type { Options } from "yargs";
import { DumpError, isCode } from "../../domain/failures.ts";
import { printable } from "../../domain/text.ts";
import type { Coredump } from "../../kube/coredump.ts";
import { isName } from "../../kube/names.ts";
import type { KubeObject } from "../../kube/objects.ts";
import { byAge, crashedAtMs, isId, withoutKind } from "../client/named.ts";
import { found, listed, type Plural, type Selection } from "../client/objects.ts";
import type { Session } from "../client/session.ts";
import { explained } from "../client/trouble.ts";
import type { Parsed } from "../commands/flags.ts";
import { notBefore, pattern, textFlag } from "../commands/select.ts";
import { say } from "../output/print.ts";

export const SELECTOR_FLAGS = {
  selector: textFlag("with these labels: app=web,tier!=cache", "l"),
  "field-selector": textFlag("with these fields: spec.pod=web-0,status.state=Saved"),
} satisfies Record<string, Options>;

/** Of `list` and of `delete --all`. */
export const DUMP_FLAGS = {
  ...SELECTOR_FLAGS,
  pod: textFlag("of this pod (* matches anything)"),
  since: textFlag("crashed within this time: 90s, 15m, 2d"),
} satisfies Record<string, Options>;

export const ALL_NAMESPACES = {
  "all-namespaces": { alias: "A", type: "boolean", default: false, describe: "in all namespaces" },
} satisfies Record<string, Options>;

export const selectionIn = (argv: Parsed): Selection => ({
  labelSelector: argv["selector"] as string | undefined,
  fieldSelector: argv["field-selector"] as string | undefined,
});

/** undefined: all of them. */
export const namespaceIn = (argv: Parsed, { namespace }: Session): string | undefined =>
  argv["all-namespaces"] === true ? undefined : namespace;

/** Everything selected. @throws DumpError with the right that is missing */
export async function select<O extends KubeObject>(
  { http }: Session,
  resource: Plural,
  namespace: string | undefined,
  selection: Selection,
): Promise<O[]> {
  return await listed<O>(http, resource, namespace, selection).catch((error) => {
    throw explained(error, resource, { namespace }, "list");
  });
}

/** The dumps that a command line means. @throws DumpError USAGE, and as select() */
export async function selectDumps(session: Session, namespace: string | undefined, argv: Parsed): Promise<Coredump[]> {
  const isMeant = filterIn(argv, new Date());
  return (await select<Coredump>(session, "coredumps", namespace, selectionIn(argv))).filter(isMeant);
}

/** What no selector of the API can say. @throws DumpError USAGE */
export function filterIn(argv: Parsed, now: Date): (coredump: Coredump) => boolean {
  const [pod, since] = [pattern(argv["pod"]), notBefore(argv["since"], now)];
  return (coredump) =>
    (pod === undefined || pod(coredump.spec.pod)) && (since === undefined || crashedAtMs(coredump) >= since);
}

/** One by its name; a name with the kind in front of it, as `-o name` prints it, is the same. @throws DumpError USAGE for no name */
export async function one<O extends KubeObject>(session: Session, resource: Plural, given: string): Promise<O> {
  const name = nameIn(given);
  return await found<O>(session.http, resource, session.namespace, name).catch((error) => {
    throw explained(error, resource, { namespace: session.namespace, name });
  });
}

/**
 * A dump by its name or its id, in full or in part; by a pod's name its newest one.
 * @param pods  whether a pod's name will do: not for what cannot be undone
 * @throws DumpError USAGE for what is not a name, DUMP_NOT_FOUND, DUMP_AMBIGUOUS
 */
export async function theDump(session: Session, given: string, pods = true): Promise<Coredump> {
  try {
    return await one<Coredump>(session, "coredumps", given);
  } catch (error) {
    if (!isCode(error, "DUMP_NOT_FOUND")) throw error;
    const word = nameIn(given);
    const all = await listed<Coredump>(session.http, "coredumps", session.namespace).catch(() => []);
    const byId = all.filter((coredump) => isId(word, coredump));
    if (byId.length > 1) throw ambiguous(word, `${byId.length} ids match`, byId);
    const ofPod = all.filter(({ spec }) => spec.pod === word).sort(byAge);
    const [dump] = byId.length > 0 ? byId : ofPod;
    if (!dump) throw error;
    if (byId.length > 0) return dump;
    if (!pods) throw ambiguous(word, "it is a pod", ofPod);
    if (ofPod.length > 1) say(`The newest of ${ofPod.length} dumps of pod ${word}: ${printable(dump.metadata.name)}`);
    return dump;
  }
}

/** Without the kind that `-o name` puts in front. @throws DumpError USAGE for what is not a name */
export function nameIn(given: string): string {
  const name = withoutKind(given);
  if (isName(name)) return name;
  throw new DumpError("USAGE", `Cannot tell which: ${JSON.stringify(given)} is not a name`, {
    hint: "Names have small letters, digits, - and . only: kubectl coredump list shows them",
  });
}

const ambiguous = (word: string, why: string, matching: readonly Coredump[]): DumpError =>
  new DumpError("DUMP_AMBIGUOUS", `Cannot tell which dump ${word} is: ${why}`, {
    hint: `for example ${matching
      .slice(0, 3)
      .map(({ metadata }) => metadata.name)
      .join(", ")}`,
  });
