/** Container images of a test, made by hand and put into a node's engine: no registry. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { TESTBED } from "./paths.ts";
import { tempDir } from "./tmp.ts";

/** An image's root folder to be filled. */
export class ImageRoot {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** A program with the libraries it needs, where this machine has them; `as` is its path in the image. */
  program(path: string, as: string): void {
    this.#copy(path, as);
    const needed = execFileSync("ldd", [path], { encoding: "utf8" });
    for (const [, library = ""] of needed.matchAll(/(\/\S+) \(0x/g)) {
      const real = realpathSync(library);
      this.#copy(real, real);
      if (real !== library) this.#copy(real, library);
    }
  }

  tree(path: string): void {
    cpSync(path, join(this.folder, path), { recursive: true, verbatimSymlinks: true });
  }

  /** busybox, and these of its applets. */
  busybox(...applets: readonly string[]): void {
    this.#copy(join(TESTBED, "engines/busybox"), "/bin/busybox");
    for (const applet of applets) symlinkSync("busybox", join(this.folder, "bin", applet));
  }

  #copy(from: string, to: string): void {
    const path = join(this.folder, to);
    mkdirSync(dirname(path), { recursive: true });
    copyFileSync(from, path);
  }
}

/** Makes `localhost/NAME:1`. @param load  puts a file as `docker save` writes it into an engine */
export function makeImage(name: string, fill: (root: ImageRoot) => void, load: (tar: string) => void): void {
  using work = tempDir();
  const [root, out] = [join(work.path, "root"), join(work.path, "out")];
  for (const folder of [root, out]) mkdirSync(folder);
  fill(new ImageRoot(root));
  const pack = (from: string, to: string): unknown =>
    execFileSync("tar", ["--owner=0", "--group=0", "--numeric-owner", "-C", from, "-cf", to, "."]);
  pack(root, join(out, "layer.tar"));
  rmSync(root, { recursive: true });
  const config = JSON.stringify({
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: [`sha256:${digest(readFileSync(join(out, "layer.tar")))}`] },
  });
  writeFileSync(join(out, `${digest(config)}.json`), config);
  const manifest = [{ Config: `${digest(config)}.json`, RepoTags: [`localhost/${name}:1`], Layers: ["layer.tar"] }];
  writeFileSync(join(out, "manifest.json"), JSON.stringify(manifest));
  const image = join(work.path, "image.tar");
  pack(out, image);
  load(image);
}

const digest = (bytes: string | Buffer): string => createHash("sha256").update(bytes).digest("hex");
