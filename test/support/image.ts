/** Container images of a test, made here and put into a node's containerd. */
import { execFile } from "node:child_process";
import { cpSync, globSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { writeLayout } from "../../install/image/layout.ts";
import type { Cluster } from "./cluster.ts";
import { ROOT, TESTBED } from "./paths.ts";

const exec = promisify(execFile);

/** Ours, as install/image makes it: localhost/coredump-detector. */
export async function importImage(cluster: Cluster, folder: string): Promise<void> {
  const out = join(folder, "image");
  await exec(join(ROOT, "install/image/image.sh"), ["--out", out]);
  const [tar = ""] = globSync(join(out, "*-image.tar"));
  await load(cluster, tar);
}

/** etcd, out of the program that the test bed built: localhost/etcd:1. @returns its name */
export async function importEtcd(cluster: Cluster, folder: string): Promise<string> {
  const [root, layout] = [join(folder, "etcd-root"), join(folder, "etcd-layout")];
  mkdirSync(join(root, "usr/local/bin"), { recursive: true });
  cpSync(join(TESTBED, "kubernetes/etcd"), join(root, "usr/local/bin/etcd"));
  const tar = join(folder, "etcd-root.tar");
  await exec("tar", ["-C", root, "-cf", tar, "."]);
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  const labels = { name: "localhost/etcd", version: "1", revision: "none", created: new Date(0).toISOString() };
  writeLayout(layout, [{ architecture, tar }], 65532, labels);
  await exec("tar", ["-C", layout, "-cf", `${layout}.tar`, "."]);
  await load(cluster, `${layout}.tar`);
  return "localhost/etcd:1";
}

const load = (cluster: Cluster, tar: string) => exec(join(cluster.nodeFolder(), "bin/ctr"), ["images", "import", tar]);
