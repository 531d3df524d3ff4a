/** The crashed image's files out of an engine on this machine. Nothing of the image is run: a container is made, and never started. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { DumpError } from "../../../domain/failures.ts";
import { FolderTree } from "./folder-tree.ts";
import { TarTree } from "./tar-tree.ts";
import { complaint, isThere, run } from "./tool.ts";
import type { Tree } from "./tree.ts";

/** Alike as far as they are needed here. */
const LIKE_DOCKER = ["docker", "podman", "nerdctl"];
/** Kubernetes' images in containerd. */
const CTR = ["-n", "k8s.io", "images"];

/** What an image may be called; a name that begins with a hyphen would be an option. */
const REFERENCE = /^[a-zA-Z0-9][\w.\-/:@]*$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

export interface ImageRef {
  readonly name: string | undefined;
  readonly digest: string | undefined;
}

/** The names to try, the surest first: a tag may mean another image today, which build ids then tell. */
export function referencesOf({ name, digest }: ImageRef): string[] {
  const sure = digest !== undefined && DIGEST.test(digest) ? digest : undefined;
  const repository = name?.replace(/@.*$/, "").replace(/:[^/:]*$/, "");
  const all = [sure && repository && `${repository}@${sure}`, sure, name];
  return [...new Set(all)].filter((each): each is string => !!each && REFERENCE.test(each));
}

/** An image's files, for as long as the scope lasts. */
export type OpenedImage = { readonly tree: Tree } & AsyncDisposable;

/**
 * Asks one engine after the other for an image that is there, then to fetch it.
 * @param folder  ours, empty
 * @param say     gets what is being done, where that may take long
 * @throws DumpError TOOL_MISSING with what each engine said
 */
export async function openImage(
  image: ImageRef,
  folder: string,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<OpenedImage> {
  const references = referencesOf(image);
  const name = image.name ?? image.digest ?? "unknown";
  if (references.length === 0) throw missing(name, "the Coredump does not name it");
  const engines = LIKE_DOCKER.filter(isThere);
  const said: string[] = [];
  for (const fetch of [false, true]) {
    for (const engine of engines)
      for (const reference of references) {
        const problem = await unavailable(engine, reference, fetch, say, signal);
        if (problem === undefined)
          return { tree: await exported(engine, reference, folder, say, signal), ...NOTHING_LEFT };
        if (fetch) said.push(`${engine}: ${problem}`);
      }
    const mounted =
      fetch || !isThere("ctr") || process.getuid?.() !== 0 ? undefined : await mount(references, folder, signal);
    if (mounted) return mounted;
  }
  throw missing(
    name,
    said.length === 0 ? "no engine is here (docker, podman, nerdctl, ctr)" : [...new Set(said)].join("; "),
  );
}

const NOTHING_LEFT = { [Symbol.asyncDispose]: async () => undefined };

const missing = (name: string, why: string): DumpError =>
  new DumpError("TOOL_MISSING", `Cannot get the files of image ${name}: ${why}`, {
    hint: "Unpack the image and name the folder with --sysroot, or debug in the cluster with --in-cluster",
  });

/** @returns why this engine does not have the image; undefined when it does */
async function unavailable(
  engine: string,
  reference: string,
  fetch: boolean,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (fetch && !reference.startsWith("sha256:")) say(`Fetching ${reference} by ${engine}`);
  const args = fetch ? ["pull", "--quiet", reference] : ["image", "inspect", reference];
  const ended = await run(engine, args, signal);
  return ended.exitCode === 0 ? undefined : complaint(ended);
}

async function exported(
  engine: string,
  reference: string,
  folder: string,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Tree> {
  say(`Taking the files of ${reference} from ${engine}`);
  const made = await run(engine, ["create", "--network", "none", reference, "/never-started"], signal);
  const container = made.stdout.trim().split("\n").at(-1) ?? "";
  if (made.exitCode !== 0 || !/^[0-9a-f]+$/.test(container)) throw missing(reference, `${engine}: ${complaint(made)}`);
  try {
    const child = spawn(engine, ["export", container], { stdio: ["ignore", "pipe", "pipe"], signal });
    const ended = once(child, "close") as Promise<[number | null]>;
    ended.catch(() => undefined);
    const [tree, stderr, [code]] = await Promise.all([TarTree.read(child.stdout, folder), text(child.stderr), ended]);
    if (code !== 0) throw missing(reference, `${engine}: ${stderr.trim()}`);
    return tree;
  } finally {
    await run(engine, ["rm", "--force", container]); // also when we were interrupted
  }
}

/** containerd's own client mounts a read-only view of the image, which takes root. */
async function mount(
  references: readonly string[],
  folder: string,
  signal: AbortSignal,
): Promise<OpenedImage | undefined> {
  const target = join(folder, "image");
  mkdirSync(target);
  for (const reference of references) {
    if ((await run("ctr", [...CTR, "mount", reference, target], signal)).exitCode !== 0) continue;
    const unmount = async (): Promise<void> => void (await run("ctr", [...CTR, "unmount", "--rm", target]));
    return { tree: new FolderTree(target), [Symbol.asyncDispose]: unmount };
  }
  return undefined;
}
