/** What is built: for which machine, against whose C library, and where it goes. */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { DumpError } from "../../src/domain/failures.ts";

export const ROOT = resolve(import.meta.dirname, "../..");

/** What a machine is called by Node, Debian and the ELF world. */
export const MACHINES = {
  x64: { debian: "amd64", triplet: "x86_64-linux-gnu", loader: "ld-linux-x86-64.so.2" },
  arm64: { debian: "arm64", triplet: "aarch64-linux-gnu", loader: "ld-linux-aarch64.so.1" },
} as const;

export type Arch = keyof typeof MACHINES;

export interface Target {
  readonly arch: Arch;
  /** `host`: the host's glibc (≥ 2.28). `own`: ours and its loader, so any libc or none, but only under `prefix`. */
  readonly libc: "host" | "own";
  /** Where an executable with a loader of its own will lie: an ELF interpreter's path is absolute. */
  readonly prefix: string;
  readonly out: string;
  /** The program's entry. */
  readonly main: string;
}

export const HELP = `bin/build [--arch x64|arm64] [--libc host|own] [--prefix DIR] [--out DIR]

Makes one executable, the libraries that a minimal host lacks, and a tarball of both:
  DIR/[VARIANT/]coredump-detector
  DIR/[VARIANT/]kubectl-coredump, kubectl_complete-coredump: links to it
  DIR/[VARIANT/]lib/
  DIR/coredump-detector-<version>-linux-<arch>[-own-libc].tar.gz
VARIANT is empty for this machine's architecture and the host's libc; otherwise arm64, own-libc or arm64-own-libc.

  --arch    the machine it is for (default: this one)
  --libc    host: runs on glibc 2.28 and later (default); own: brings its libc, runs on any host, but only in --prefix
  --prefix  with --libc=own, the directory it will be installed in (default: /coredump)
  --out     default: dist
Downloads are kept in .cache/; what is up to date is not made again.
`;

/** The target of a command line; undefined when help was asked for. */
export function targetFrom(args: readonly string[]): Target | undefined {
  const { values } = parse(args);
  if (values.help) return undefined;
  return {
    arch: oneOf("--arch", values.arch, ["x64", "arm64"]),
    libc: oneOf("--libc", values.libc, ["host", "own"]),
    prefix: resolve("/", values.prefix),
    out: resolve(values.out),
    main: join(ROOT, "src/main.ts"),
  };
}

function parse(args: readonly string[]) {
  const options = {
    arch: { type: "string", default: process.arch },
    libc: { type: "string", default: "host" },
    prefix: { type: "string", default: "/coredump" },
    out: { type: "string", default: join(ROOT, "dist") },
    help: { type: "boolean", short: "h", default: false },
  } as const;
  try {
    return parseArgs({ args: [...args], options });
  } catch (cause) {
    throw new DumpError("USAGE", (cause as Error).message, { cause, hint: "bin/build --help" });
  }
}

function oneOf<T extends string>(flag: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === value);
  if (found === undefined)
    throw new DumpError("USAGE", `Cannot use ${flag} ${value}: it is one of ${allowed.join(", ")}`);
  return found;
}

/** The folder below `out`: empty for what runs right here. */
export function variantOf({ arch, libc }: Target): string {
  return [arch === process.arch ? [] : arch, libc === "own" ? "own-libc" : []].flat().join("-");
}

export function tarballName({ arch, libc }: Target, version: string): string {
  return `coredump-detector-${version}-linux-${arch}${libc === "own" ? "-own-libc" : ""}.tar.gz`;
}
