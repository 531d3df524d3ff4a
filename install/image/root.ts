/** The image's files: the executable for any host, which the agent also puts on its node, and the C library to start it here. */
import { copyFileSync, cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DumpError } from "../../src/domain/failures.ts";
import { fetchPackages } from "../build/libraries.ts";
import { build } from "../build/main.ts";
import { type Arch, MACHINES, ROOT } from "../build/target.ts";
import { run } from "../build/tools.ts";

/** Nobody: all roles but the agent run so. */
export const USER = 65532;

const FILES: Readonly<Record<string, string>> = {
  "etc/passwd": `root:x:0:0:root:/:/sbin/nologin\nnonroot:x:${USER}:${USER}:nonroot:/:/sbin/nologin\n`,
  "etc/group": `root:x:0:\nnonroot:x:${USER}:\n`,
  "etc/os-release":
    'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n',
  "etc/nsswitch.conf": "hosts: files dns\n",
};

/** Packs the root of `arch` into the tar `to`: the same sources and packages give the same bytes. */
export async function packRoot(arch: Arch, work: string, to: string): Promise<void> {
  const root = join(work, arch);
  await program(arch, join(root, "coredump"));
  libraries(arch, root);
  for (const [name, text] of Object.entries(FILES)) put(join(root, name), text);
  mkdirSync(join(root, "tmp"));
  const plain = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--format=ustar"];
  run("tar", [...plain, "--mode=u=rwX,go=rX", "--exclude=./tmp", "-C", root, "-cf", to, "."]);
  run("tar", [...plain, "--mode=1777", "-C", root, "-rf", to, "./tmp"]);
}

async function program(arch: Arch, to: string): Promise<void> {
  const main = join(ROOT, "src/main.ts");
  const executable = await build({ arch, libc: "host", prefix: "/coredump", out: join(ROOT, "dist"), main });
  mkdirSync(to, { recursive: true });
  copyFileSync(executable, join(to, "coredump-detector"));
  for (const name of ["lib", "THIRD-PARTY-NOTICES.txt"])
    cpSync(join(dirname(executable), name), join(to, name), { recursive: true });
}

/** Debian's C library where its loader looks for it, and what tells scanners which one it is (as distroless images do). */
function libraries(arch: Arch, root: string): void {
  const folder = fetchPackages({ arch, libc: "own" }).find((each) => basename(each).startsWith("libc6_"));
  if (folder === undefined) throw new DumpError("UNEXPECTED", "Cannot make the image: there is no package libc6");
  for (const name of ["lib", "lib64", "usr/share/doc/libc6/copyright"])
    if (existsSync(join(folder, name)))
      cpSync(join(folder, name), join(root, name), { recursive: true, verbatimSymlinks: true });
  const [, version = ""] = basename(folder).split("_");
  const status = { Package: "libc6", Source: "glibc", Status: "install ok installed", Version: version };
  const lines = Object.entries({ ...status, Architecture: MACHINES[arch].debian, Maintainer: "Debian" });
  put(join(root, "var/lib/dpkg/status.d/libc6"), `${lines.map(([key, value]) => `${key}: ${value}`).join("\n")}\n`);
}

function put(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
