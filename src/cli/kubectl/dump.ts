/** `kubectl coredump dump`: downloads a core, a bundle, or a pod's dumps. */

import type { CommandModule } from "yargs";
import { recordOf } from "../../cluster/registration/coredump.ts";
import { DumpError, isCode, reasonOf } from "../../domain/failures.ts";
import { refusalOf } from "../../domain/refusal.ts";
import { printable } from "../../domain/text.ts";
import type { Coredump } from "../../kube/coredump.ts";
import { CoreBytes } from "../client/core-bytes.ts";
import type { Endpoint } from "../client/objects.ts";
import type { Bytes } from "../client/pieces.ts";
import { type DownloadPath, Remote } from "../client/remote.ts";
import type { Session } from "../client/session.ts";
import type { Parsed } from "../commands/flags.ts";
import { targetPath } from "../commands/target.ts";
import { shortfall } from "../output/describe.ts";
import { say } from "../output/print.ts";
import { session } from "./access.ts";
import { type DownloadOrder, intoFile, intoStdout } from "./download.ts";
import { interruptible } from "./interrupt.ts";
import { one, theDump } from "./select.ts";

export const command: CommandModule<object, Parsed> = {
  command: "dump [name] [file]",
  describe: "download a core and check it; an interrupted download is continued",
  builder: (yargs) =>
    yargs
      .positional("name", {
        type: "string",
        describe: "name or id of the Coredump, or name of its pod (its newest dump); not with --endpoint",
      })
      .positional("file", { type: "string", describe: "file or directory; - or a redirected stdout: write to stdout" })
      .option("bundle", {
        type: "boolean",
        default: false,
        describe: "the bundle as it is stored, with all that is known of the dump: a .tar.zst",
      })
      .option("endpoint", {
        type: "string",
        requiresArg: true,
        describe: "all dumps of this CoredumpEndpoint's pod, as a tar",
      })
      .option("container", { type: "string", requiresArg: true, describe: "with --endpoint: only this container's" })
      .option("force", { alias: "f", type: "boolean", default: false, describe: "replace an existing file" }),
  async handler(argv) {
    using stopping = interruptible();
    const ours = await session(argv);
    const { signal } = stopping;
    const { open, name, sha256, file } =
      argv["endpoint"] === undefined ? await dumpIn(ours, argv) : await endpointIn(ours, argv);
    const path = targetPath(file, name);
    const download: DownloadOrder = { remote: await open(signal), sha256, signal };
    if (path === undefined) await intoStdout(download);
    else await intoFile(download, path, argv["force"] === true);
  },
};

interface DownloadSource {
  readonly open: (signal: AbortSignal) => Promise<Bytes>;
  /** Of the file, unless one is named. */
  readonly name: string;
  readonly sha256: string | undefined;
  readonly file: string | undefined;
}

/** What yargs leaves of a lone `-` is nothing. */
const word = (value: unknown): string | undefined => (value === "" ? "-" : (value as string | undefined));

async function dumpIn(ours: Session, argv: Parsed): Promise<DownloadSource> {
  if (argv["name"] === undefined)
    throw new DumpError("USAGE", "Cannot tell which dump: name a Coredump, or give --endpoint");
  if (argv["container"] !== undefined)
    throw new DumpError("USAGE", "Cannot choose a container: --container goes with --endpoint");
  const coredump = await downloadable(ours, String(argv["name"]));
  const { name } = coredump.metadata;
  const bundle = argv["bundle"] === true;
  return {
    open: bundle
      ? (signal) => Remote.open(ours.http, wantedOf(coredump, "bundle"), signal)
      : (signal) => openCore(ours, coredump, signal),
    name: bundle ? `${name}.tar.zst` : `${name}.core`,
    sha256: bundle ? undefined : sha256Of(coredump),
    file: word(argv["file"]),
  };
}

async function endpointIn(ours: Session, argv: Parsed): Promise<DownloadSource> {
  if (argv["file"] !== undefined)
    throw new DumpError("USAGE", "Cannot dump both: with --endpoint only a file is named");
  const endpoint = await one<Endpoint>(ours, "coredumpendpoints", String(argv["endpoint"]));
  const { name } = endpoint.metadata;
  const { container, bundle } = argv;
  const query = {
    part: bundle === true ? "bundle" : "core",
    ...(container !== undefined && { container: String(container) }),
  };
  const wanted = { resource: "coredumpendpoints", namespace: ours.namespace, name, query } as const;
  const open = (signal: AbortSignal) => Remote.open(ours.http, wanted, signal);
  return { open, name: `${name}.tar`, sha256: undefined, file: word(argv["name"]) };
}

/** @throws DumpError why its core cannot be had; says so when it is not complete */
export async function downloadable(ours: Session, name: string): Promise<Coredump> {
  const coredump = await theDump(ours, name);
  const refusal = refusalOf(coredump);
  if (refusal) throw refusal;
  if (coredump.status?.complete === false) say(`warning: this core is not complete: ${shortfall(recordOf(coredump))}`);
  return coredump;
}

/**
 * The core, by its bundle's frames; as the server unpacks it where the bundle is not one that this program can read.
 * @throws DumpError with what stands in the way
 */
export async function openCore({ http }: Session, coredump: Coredump, signal: AbortSignal): Promise<Bytes> {
  const bundle = await Remote.open(http, wantedOf(coredump, "bundle"), signal);
  try {
    return await CoreBytes.open(bundle, signal);
  } catch (error) {
    if (!isCode(error, "STORE_CORRUPT")) throw error;
    say(`warning: ${printable(reasonOf(error))}; asking the server for the core itself`);
    return await Remote.open(http, wantedOf(coredump, "core"), signal);
  }
}

const wantedOf = ({ metadata }: Coredump, part: "core" | "bundle"): DownloadPath => ({
  resource: "coredumps",
  namespace: metadata.namespace ?? "",
  name: metadata.name,
  query: { part },
});

/** In hex; undefined where the Coredump states none, or another algorithm's. */
export const sha256Of = ({ status }: Coredump): string | undefined =>
  /^sha256:([0-9a-f]{64})$/.exec(status?.checksum ?? "")?.[1];
