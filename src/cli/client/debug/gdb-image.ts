/** The image with gdb for debugging in the cluster: named once, or each time. */
import { closeSync, openSync, readSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { DumpError, errnoOf, reasonOf } from "../../../domain/failures.ts";
import type { KubeHttp } from "../../../kube/http.ts";
import { member } from "../../../kube/objects.ts";

/** An image's name and digest, a line of them. */
const MAX_BYTES = 4096;

const fileOf = (env: NodeJS.ProcessEnv): string =>
  join(env["XDG_CONFIG_HOME"] || join(env["HOME"] || homedir(), ".config"), "coredump", "gdb-image");

/** Where the cluster's admin names one for all (the chart's `debugImage`): everyone may read it there. */
const FOR_ALL = member("v1", "configmaps", "coredump-detector", "kube-public");

/** What the admin named; undefined where that is nothing, or cannot be read: then another place has to. */
export async function imageForAll(http: KubeHttp, signal: AbortSignal): Promise<string | undefined> {
  try {
    const request = { verb: "get", resource: "configmaps", path: FOR_ALL, signal } as const;
    return (await http.json<{ data?: { debugImage?: string } }>(request)).data?.debugImage?.trim() || undefined;
  } catch {
    return undefined;
  }
}

/**
 * The flag counts most, then the environment, then the file `~/.config/coredump/gdb-image`, then what the cluster's admin named.
 * @throws DumpError USAGE when none is named, with the places for it; SETTINGS_INVALID for a file that cannot be read
 */
export function gdbImageOf(flag: string | undefined, env: NodeJS.ProcessEnv, forAll?: string): string {
  const named =
    flag || env["KUBECTL_COREDUMP_GDB_IMAGE"] || env["COREDUMP_GDB_IMAGE"] || firstLine(fileOf(env)) || forAll;
  if (named) return named;
  throw new DumpError("USAGE", "Cannot debug in the cluster without an image that has gdb", {
    hint: `Name it once in ${fileOf(env)} or COREDUMP_GDB_IMAGE, or by --gdb-image: it has gdb, sh, cat, head, od, wc and sleep`,
  });
}

function firstLine(path: string): string | undefined {
  try {
    const fd = openSync(path, "r");
    try {
      const bytes = Buffer.alloc(MAX_BYTES);
      return bytes.toString("utf8", 0, readSync(fd, bytes)).split("\n", 1)[0]?.trim();
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT" || errnoOf(cause) === "ENOTDIR") return undefined;
    throw new DumpError("SETTINGS_INVALID", `Cannot read ${path}: ${reasonOf(cause)}`, { cause });
  }
}
