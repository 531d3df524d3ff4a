/**
 * What may stand where the cursor is. kubectl (1.26 and later) calls `kubectl_complete-coredump WORD… ""` and reads candidates, one
 * a line, then `:4`: no file names (`:0`: file names, too). The scripts that `completion` prints read the same.
 */
import yargs, { type CommandModule } from "yargs";
import { Parser } from "yargs/helpers";
import { NODE_OPTIONS } from "../../config/options.ts";
import { printable } from "../../domain/text.ts";
import type { KubeObject } from "../../kube/objects.ts";
import { listed } from "../client/objects.ts";
import { openSession, type Session } from "../client/session.ts";
import { flagsOf, type Parsed } from "../commands/flags.ts";
import { print } from "../output/print.ts";
import { ACCESS_FLAGS, accessOf } from "./access.ts";
import { COMMANDS, named, namesOf } from "./cli.ts";
import { command as dump } from "./dump.ts";
import { create, COMMANDS as ENDPOINT_COMMANDS, command as endpoint, removal } from "./endpoint.ts";

const FILES = ":0\n";
const NO_FILES = ":4\n";
/** A person does not wait longer for a tab. */
const PATIENCE_MS = 3000;

/** @param words after `kubectl coredump`; the last one is the one to complete, and may be empty */
export const complete = async (words: readonly string[]): Promise<void> => print(await answerTo(words));

export async function answerTo(words: readonly string[]): Promise<string> {
  const current = words.at(-1) ?? "";
  const { candidates, files = false } = await offerFor(words.slice(0, -1), current).catch(() => NOTHING);
  const fitting = candidates.filter((each) => each.startsWith(current) && each === printable(each));
  return (
    [...new Set(fitting)]
      .sort()
      .map((each) => `${each}\n`)
      .join("") + (files ? FILES : NO_FILES)
  );
}

interface Offer {
  readonly candidates: readonly string[];
  /** Whether a file's name may stand here as well. */
  readonly files?: boolean;
}

/** Of whatever goes wrong, too: errors after a tab are not read. */
const NOTHING: Offer = { candidates: [] };

async function offerFor(before: readonly string[], current: string): Promise<Offer> {
  const flag = before.at(-1) ?? "";
  const argv = parsed(flag.startsWith("-") ? before.slice(0, -1) : before); // its value is still to come
  const [first = "", ...rest] = argv._.map(String);
  const top = named(COMMANDS, first);
  const command = top === endpoint ? named(ENDPOINT_COMMANDS, rest[0] ?? "") : top;
  const words = top === endpoint ? rest.slice(1) : rest;
  const { flags, choicesOf, takesValue } = optionsOf(command);
  if (flag.startsWith("-") && !current.startsWith("-")) {
    const values = VALUES[flag];
    if (values) return { candidates: await values(await quickSession(argv)) };
    const known = choicesOf(flag.replace(/^--?/, ""));
    if (known) return { candidates: known };
    if (takesValue(flag.replace(/^--?/, ""))) return { candidates: [], files: FILE_FLAGS.has(flag) };
  }
  if (current.startsWith("-")) return { candidates: flags };
  if (!command) return { candidates: (top ? ENDPOINT_COMMANDS : COMMANDS).map((each) => namesOf(each)[0] ?? "") };
  return await objectsFor(command, words, argv);
}

async function objectsFor(command: CommandModule, given: readonly string[], argv: Parsed): Promise<Offer> {
  const [, taken = ""] = /[<[](\w+(?:\.\.)?)[>\]]/.exec(String([command.command].flat()[0])) ?? [];
  const isMany = taken === "names..";
  if (command === create || (taken !== "name" && !isMany))
    return { candidates: optionsOf(command).choicesOf(taken) ?? [] };
  const isEndpoint = argv["endpoint"] !== undefined; // instead of a dump's name
  if (!isMany && (given.length > 0 || isEndpoint))
    return { candidates: [], files: command === dump && given.length === (isEndpoint ? 0 : 1) };
  const { http, namespace } = await quickSession(argv);
  const objects = await listed(http, command === removal ? "coredumpendpoints" : "coredumps", namespace);
  return { candidates: objects.map(({ metadata }) => metadata.name).filter((name) => !given.includes(name)) };
}

/** What yargs knows of a command's options, ours included. (Its types do not have this method.) */
function optionsOf(command: CommandModule | undefined) {
  const probe = yargs([])
    .options(ACCESS_FLAGS)
    .options(flagsOf({ verbosity: NODE_OPTIONS.verbosity }))
    .help()
    .alias({ help: "h" });
  const builder = command?.builder;
  if (typeof builder === "function") builder(probe);
  else if (builder) probe.options(builder);
  const { key, choices, alias, boolean, count } = (probe as unknown as { getOptions(): KnownOptions }).getOptions();
  const known = (name: string): string => Object.keys(alias).find((each) => alias[each]?.includes(name)) ?? name;
  const isFlag = (each: string): boolean => !String(command?.command).includes(each);
  return {
    flags: Object.keys(key)
      .filter(isFlag)
      .map((each) => (each.length === 1 ? `-${each}` : `--${each}`)),
    choicesOf: (name: string) => choices[known(name)],
    takesValue: (name: string) =>
      Object.hasOwn(key, known(name)) && ![...boolean, ...count].includes(known(name)) && isFlag(known(name)),
    boolean,
    alias,
  };
}

interface KnownOptions {
  readonly key: Readonly<Record<string, unknown>>;
  readonly choices: Readonly<Record<string, readonly string[]>>;
  readonly alias: Readonly<Record<string, readonly string[]>>;
  readonly boolean: readonly string[];
  readonly count: readonly string[];
}

const names = async ({ http }: Session, path: string, resource: string): Promise<string[]> => {
  const list = await http.json<{ items: KubeObject[] }>({ verb: "list", resource, path, query: { limit: "500" } });
  return list.items.map(({ metadata }) => metadata.name);
};

type ValueSource = (session: Session) => Promise<readonly string[]>;
const namespaces: ValueSource = (session) => names(session, "/api/v1/namespaces", "namespaces");
const contexts: ValueSource = async (session) => session.contexts;
const endpoints: ValueSource = async ({ http, namespace }) =>
  (await listed(http, "coredumpendpoints", namespace)).map(({ metadata }) => metadata.name);

/** Those whose value is a file or a folder. */
const FILE_FLAGS: ReadonlySet<string> = new Set(["--kubeconfig", "--core", "--sysroot", "--gdb"]);

/** What may follow a flag. */
const VALUES: Readonly<Record<string, ValueSource>> = {
  "-n": namespaces,
  "--namespace": namespaces,
  "--context": contexts,
  "--endpoint": endpoints,
};

/** Words before the cursor: what is a flag's value and what stands alone, only the flags of all commands can tell. */
function parsed(words: readonly string[]) {
  const all = [...COMMANDS, ...ENDPOINT_COMMANDS].map((command) => optionsOf(command));
  const boolean = [...new Set(all.flatMap((each) => each.boolean))];
  const flags = new Set(all.flatMap(({ flags }) => flags.map((flag) => flag.replace(/^--?/, ""))));
  return Parser([...words], {
    string: [...flags].filter((flag) => !boolean.includes(flag)),
    array: ["as-group"],
    boolean,
    alias: Object.assign({}, ...all.map(({ alias }) => alias)),
    configuration: {
      "greedy-arrays": false,
      "parse-numbers": false,
      "parse-positional-numbers": false,
      "dot-notation": false,
    },
  });
}

const quickSession = (argv: Parsed): Promise<Session> => openSession({ ...accessOf(argv), idleMs: PATIENCE_MS });
