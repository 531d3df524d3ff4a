/**
 * May root run a file here, and can only root put another in its place?
 *
 * The kernel runs the handler as root in the initial namespaces: a user who may rename a directory on the way owns the
 * node. Symbolic links are followed by hand, so that each directory that any of them lies in is looked at.
 */
import { lstatSync, readlinkSync, realpathSync, type Stats } from "node:fs";
import { dirname, join } from "node:path";
import { errnoOf, ifPossible } from "../../domain/failures.ts";
import { textOf } from "../../domain/text.ts";

const MAX_LINKS = 40;

/**
 * The first thing on the way from `root` to `path` that others than root (or ourselves, in a trial) can change, in
 * words; undefined when there is none. What does not exist yet can be made by those alone who own what is above it.
 */
export function weakSpot(path: string, root = ""): string | undefined {
  let at = "/";
  let links = 0;
  const rest = path.split("/").filter(Boolean);
  for (let part: string | undefined = ""; part !== undefined; part = rest.shift()) {
    const next = join(at, part);
    const stat = stateOf(root + next);
    if (!stat) return undefined;
    if (stat.uid !== 0 && stat.uid !== process.getuid?.()) return `${next} belongs to uid ${stat.uid}`;
    if (stat.isSymbolicLink()) {
      if (++links > MAX_LINKS) return `${next} leads through too many symbolic links`;
      const target = readlinkSync(root + next);
      if (target.startsWith("/")) at = "/";
      rest.unshift(...target.split("/").filter(Boolean));
      continue;
    }
    // Its group counts as "others" unless that is root's own. The sticky bit does not help: a name may be taken before ours.
    if ((stat.mode & 0o002) !== 0 || ((stat.mode & 0o020) !== 0 && stat.gid !== 0)) {
      return `${next} can be written by others (mode ${(stat.mode & 0o7777).toString(8).padStart(4, "0")})`;
    }
    at = next;
  }
  return undefined;
}

function stateOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

interface MountEntry {
  readonly mountPoint: string;
  readonly options: readonly string[];
  readonly type: string;
}

/** The mount that `path` (which need not exist yet) lies on; undefined in a malformed table. */
export function mountOf(path: string, mountinfo: string): MountEntry | undefined {
  const real = existing(path);
  let best: MountEntry | undefined;
  for (const line of mountinfo.split("\n")) {
    const [left = "", right = ""] = line.split(" - ");
    const fields = left.split(" ");
    const mountPoint = unescaped(fields[4] ?? "");
    if (!mountPoint || !(real === mountPoint || real.startsWith(mountPoint === "/" ? "/" : `${mountPoint}/`))) continue;
    // A later line with the same mount point lies on top.
    if (!best || mountPoint.length >= best.mountPoint.length) {
      best = { mountPoint, options: (fields[5] ?? "").split(","), type: right.split(" ")[0] ?? "" };
    }
  }
  return best;
}

/** proc_pid_mountinfo(5): space, tab, newline and backslash come as `\040` and so on. */
const unescaped = (text: string): string =>
  text.replace(/(?:\\[0-7]{3})+/g, (run) =>
    textOf(Uint8Array.from(run.slice(1).split("\\"), (octal) => Number.parseInt(octal, 8))),
  );

/** The real path of the deepest part that is there. */
const existing = (path: string): string =>
  ifPossible(() => realpathSync(path)) ?? (path === "/" ? path : existing(dirname(path)));
