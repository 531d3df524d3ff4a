/** `endpoint …`: names for a pod's dumps, which stay when the pod has gone. */

import type { CommandModule } from "yargs";
import { DumpError, isCode } from "../../domain/failures.ts";
import { printable } from "../../domain/text.ts";
import { ENDPOINT_API } from "../../kube/objects.ts";
import { type Endpoint, pathOf, remove } from "../client/objects.ts";
import { explained } from "../client/trouble.ts";
import type { Parsed } from "../commands/flags.ts";
import { rendered } from "../output/document.ts";
import { print, say } from "../output/print.ts";
import { type Column, table } from "../output/table.ts";
import { session } from "./access.ts";
import { LIST } from "./list.ts";
import { age } from "./output/rows.ts";
import { ALL_NAMESPACES, nameIn, namespaceIn, one, SELECTOR_FLAGS, select, selectionIn } from "./select.ts";

const RESOURCE = "coredumpendpoints";

export const create: CommandModule<object, Parsed> = {
  command: "create <name>",
  describe: "create an endpoint: all dumps of a pod under one name, to download together",
  builder: (yargs) =>
    yargs
      .positional("name", {
        type: "string",
        demandOption: true,
        describe: "name of the endpoint, and of the pod unless --pod or --pod-uid says otherwise",
      })
      .option("pod", { type: "string", requiresArg: true, describe: "name of an existing pod" })
      .option("pod-uid", { type: "string", requiresArg: true, describe: "uid of a pod, which may have gone" }),
  async handler(argv) {
    const { http, namespace } = await session(argv);
    const { "pod-uid": uid, ...given } = argv as Record<string, string | undefined>;
    const name = nameIn(given["name"] ?? "");
    const pod = given["pod"] ?? (uid === undefined ? name : undefined);
    const spec = { ...(pod !== undefined && { podname: pod }), ...(uid !== undefined && { poduid: uid }) };
    const body = { apiVersion: ENDPOINT_API, kind: "CoredumpEndpoint", metadata: { name, namespace }, spec };
    const path = pathOf(RESOURCE, namespace);
    const made = await http.json<Endpoint>({ verb: "create", resource: RESOURCE, path, body }).catch((error) => {
      throw isCode(error, "NOT_FOUND") && pod !== undefined
        ? noPod(pod, namespace, error)
        : explained(error, RESOURCE, { namespace }, "create");
    });
    say(`${printable(made.metadata.name)} created, for pod uid ${printable(made.spec?.poduid ?? "unknown")}`);
    say(`Next: kubectl coredump dump --endpoint ${printable(made.metadata.name)} -n ${namespace}`);
  },
};

const noPod = (pod: string, namespace: string, cause: unknown): DumpError =>
  new DumpError("NOT_FOUND", `Cannot name the dumps of pod ${pod}: it is not there in namespace ${namespace}`, {
    cause,
    hint: "--pod names an existing pod; for one that has gone, use --pod-uid (kubectl coredump info NAME -o yaml shows the uid)",
  });

const list: CommandModule<object, Parsed> = {
  command: ["list", "ls"],
  describe: "list endpoints",
  builder: {
    ...ALL_NAMESPACES,
    ...SELECTOR_FLAGS,
    output: { alias: "o", requiresArg: true, choices: ["json", "yaml"], describe: "the format (default: a table)" },
  },
  async handler(argv) {
    const ours = await session(argv);
    const namespace = namespaceIn(argv, ours);
    const endpoints = await select<Endpoint>(ours, RESOURCE, namespace, selectionIn(argv));
    if (endpoints.length === 0)
      say(namespace === undefined ? "No endpoints found" : `No endpoints found in namespace ${namespace}`);
    const forPeople = () =>
      endpoints.length === 0 ? "" : table(columns(new Date(), namespace === undefined), endpoints);
    await print(await rendered({ ...LIST, items: endpoints }, argv["output"], forPeople));
  },
};

const columns = (now: Date, namespaces: boolean): readonly Column<Endpoint>[] => [
  ...(namespaces ? [{ title: "NAMESPACE", text: ({ metadata }: Endpoint) => metadata.namespace }] : []),
  { title: "NAME", text: ({ metadata }) => metadata.name },
  { title: "POD", text: ({ metadata, spec }) => spec?.podname || metadata.name /* its default */ },
  { title: "POD UID", text: ({ spec }) => spec?.poduid, none: "<none>" },
  { title: "AGE", text: ({ metadata }) => age(metadata.creationTimestamp, now), none: "<unknown>" },
];

export const removal: CommandModule<object, Parsed> = {
  command: ["delete <names..>", "rm"],
  describe: "delete endpoints; the dumps stay",
  builder: (yargs) =>
    yargs.positional("names", { type: "string", array: true, demandOption: true, describe: "names of endpoints" }),
  async handler(argv) {
    const ours = await session(argv);
    const endpoints = await Promise.all((argv["names"] as string[]).map((name) => one<Endpoint>(ours, RESOURCE, name)));
    for (const endpoint of endpoints) {
      const { name, namespace } = endpoint.metadata;
      await remove(ours.http, RESOURCE, endpoint).catch((error) => {
        throw explained(error, RESOURCE, { namespace, name }, "delete");
      });
      say(`${printable(name)} deleted`);
    }
  },
};

export const COMMANDS = [create, list, removal] as CommandModule[];

export const command: CommandModule<object, Parsed> = {
  command: "endpoint <command>",
  describe: "create, list and delete endpoints: all dumps of a pod under one name",
  builder: (yargs) => yargs.command(COMMANDS).demandCommand(1, "No command given"),
  handler: () => undefined,
};
