/** The container image, made without a registry and without a daemon: roots, layers, an OCI layout in a tar. */
import { mkdirSync, mkdtempDisposableSync, renameSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { DumpError, FAILURES, type FailureCode } from "../../src/domain/failures.ts";
import { versionOf } from "../build/bundle.ts";
import { type Arch, MACHINES, ROOT } from "../build/target.ts";
import { run } from "../build/tools.ts";
import { type Labels, writeLayout } from "./layout.ts";
import { packRoot, USER } from "./root.ts";

const HELP = `install/image/image.sh [--arch amd64|arm64|all] [--name NAME] [--out DIR]

Makes one image for all roles, of the executable and Debian's C library, with nothing to log in to:
  DIR/coredump-detector-<version>-image.tar   an OCI layout: ctr images import, podman load, skopeo copy oci-archive:…
  DIR/root-<arch>.tar                         its files, for install/image/Dockerfile
and prints the image's digest, which is the same for the same sources.

  --arch   the machines that it is for (default: this one)
  --name   default: localhost/coredump-detector
  --out    default: dist/image
`;

interface Order {
  readonly archs: readonly Arch[];
  readonly name: string;
  readonly out: string;
}

/** @returns the image's digest */
async function makeImage({ archs, name, out }: Order): Promise<string> {
  mkdirSync(out, { recursive: true });
  using work = mkdtempDisposableSync(join(out, ".image-"));
  const layout = join(work.path, "layout");
  const roots = [];
  for (const arch of archs) {
    const architecture = MACHINES[arch].debian;
    const tar = join(work.path, `root-${architecture}.tar`);
    await packRoot(arch, work.path, tar);
    roots.push({ architecture, tar });
  }
  const digest = writeLayout(layout, roots, USER, labelsOf(name));
  const image = join(work.path, "image.tar");
  run("tar", [
    "--sort=name",
    "--mtime=@0",
    "--owner=0",
    "--group=0",
    "--numeric-owner",
    "-C",
    layout,
    "-cf",
    image,
    ".",
  ]);
  for (const { architecture, tar } of roots) renameSync(tar, join(out, `root-${architecture}.tar`));
  renameSync(image, join(out, `coredump-detector-${versionOf().release}-image.tar`));
  return digest;
}

function labelsOf(name: string): Labels {
  const { release } = versionOf();
  const git = (...args: string[]) => run("git", args, { cwd: ROOT }).trim();
  try {
    const created = new Date(Number(git("log", "-1", "--format=%ct")) * 1000).toISOString();
    return { name, version: release, revision: git("rev-parse", "HEAD"), created };
  } catch {
    return { name, version: release, revision: "unknown", created: new Date(0).toISOString() }; // a source archive
  }
}

/** Undefined when help was asked for. */
function orderFrom(args: readonly string[]): Order | undefined {
  const here = MACHINES[process.arch as Arch].debian;
  const options = {
    arch: { type: "string", default: here },
    name: { type: "string", default: "localhost/coredump-detector" },
    out: { type: "string", default: join(ROOT, "dist/image") },
    help: { type: "boolean", short: "h", default: false },
  } as const;
  const { values } = parseArgs({ args: [...args], options });
  if (values.help) return undefined;
  const all = Object.keys(MACHINES) as Arch[];
  const archs = all.filter((arch) => values.arch === "all" || values.arch === MACHINES[arch].debian);
  if (archs.length > 0) return { archs, name: values.name, out: resolve(values.out) };
  throw new DumpError("USAGE", `Cannot use --arch ${values.arch}: it is one of amd64, arm64, all`);
}

try {
  const order = orderFrom(process.argv.slice(2));
  if (order === undefined) process.stdout.write(HELP);
  else console.log(`${order.name}@${await makeImage(order)} in ${relative(process.cwd(), order.out)}`);
} catch (error) {
  if (!(error instanceof DumpError)) throw error;
  console.error(`error: ${error.message}${error.hint === undefined ? "" : `\nhint: ${error.hint}`}`);
  process.exitCode = FAILURES[error.code as FailureCode].exitCode;
}
