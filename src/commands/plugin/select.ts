/** Which objects a command is about: by name, by selectors, all. */
import type { Options } from "yargs";
import { DumpError } from "../../domain/failures.ts";
import type { KubeObject } from "../../kube/objects.ts";
import { found, listed, type Plural, type Selection } from "../../plugin/objects.ts";
import type { Session } from "../../plugin/session.ts";
import { explained } from "../../plugin/trouble.ts";
import type { Parsed } from "../flags.ts";

const text = (describe: string, alias?: string): Options => ({
  type: "string",
  requiresArg: true,
  describe,
  ...(alias && { alias }),
});

export const SELECTOR_FLAGS = {
  selector: text("with these labels: app=web,tier!=cache", "l"),
  "field-selector": text("with these fields: spec.pod=web-0,status.state=Saved"),
} satisfies Record<string, Options>;

export const ALL_NAMESPACES = {
  "all-namespaces": { alias: "A", type: "boolean", default: false, describe: "of all namespaces" },
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

/** One by its name; a name with the kind in front of it, as `-o name` prints it, is the same. */
export async function one<O extends KubeObject>(session: Session, resource: Plural, name: string): Promise<O> {
  const bare = name.replace(new RegExp(`^${resource}?(\\.coredump\\.fujitsu\\.com)?/`), "");
  if (bare === "") throw new DumpError("USAGE", `Cannot tell which: ${JSON.stringify(name)} is no name`);
  return await found<O>(session.http, resource, session.namespace, bare).catch((error) => {
    throw explained(error, resource, { namespace: session.namespace, name: bare });
  });
}
