/** How much a cgroup may still take before its limits, or those above it, make the kernel reclaim or kill. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Where distributions mount the hierarchies; elsewhere the answer is "unknown". */
const MOUNTS = { v1: ["memory"], v2: [".", "unified"] } as const;
/**
 * Files of a limit and of what counts against it (cgroup-v1/memory.rst, cgroup-v2.rst). `memory.high` does not kill, it
 * slows down; kernel memory had a limit of its own up to Linux 5.15.
 */
const LIMITS = {
  v1: [
    ["memory.limit_in_bytes", "memory.usage_in_bytes"],
    ["memory.memsw.limit_in_bytes", "memory.memsw.usage_in_bytes"],
    ["memory.kmem.limit_in_bytes", "memory.kmem.usage_in_bytes"],
  ],
  v2: [
    ["memory.max", "memory.current"],
    ["memory.high", "memory.current"],
  ],
} as const;
/** Deeper than any engine goes; a container may make cgroups of its own. */
const MOST_LEVELS = 64;

/**
 * @param cgroup  /proc/P/cgroup, as it is read from the initial cgroup namespace
 * @returns bytes; undefined when it cannot be known
 */
export function memoryRoom(cgroup: Buffer, root = "/sys/fs/cgroup"): number | undefined {
  const lines = cgroup
    .toString("latin1")
    .split("\n")
    .map((line) => /^\d+:([^:]*):\/(.*)$/.exec(line));
  const v1 = lines.find((line) => line?.[1]?.split(",").includes("memory"))?.[2];
  const v2 = lines.find((line) => line?.[1] === "")?.[2];
  const [version, path] = v1 === undefined ? (["v2", v2] as const) : (["v1", v1] as const);
  const top = MOUNTS[version].map((mount) => join(root, mount)).find((dir) => existsSync(join(dir, "cgroup.procs")));
  if (path === undefined || top === undefined) return undefined;
  const parts = Buffer.from(path, "latin1").toString().split("/").filter(Boolean);
  if (parts.length > MOST_LEVELS || !existsSync(join(top, ...parts, "cgroup.procs"))) return undefined;
  const rooms = [...parts.keys(), parts.length].flatMap((depth) =>
    roomsAt(join(top, ...parts.slice(0, depth)), version),
  );
  return rooms.some(Number.isNaN) ? undefined : Math.min(...rooms, Number.MAX_SAFE_INTEGER);
}

/** A limit that is not there limits nothing; NaN where it is, and cannot be read. */
function roomsAt(dir: string, version: keyof typeof LIMITS): number[] {
  return LIMITS[version]
    .filter(([limit]) => existsSync(join(dir, limit)))
    .map(([limit, usage]) => bytesIn(join(dir, limit)) - bytesIn(join(dir, usage)));
}

function bytesIn(file: string): number {
  try {
    const text = readFileSync(file, "latin1").trim();
    return text === "max" ? Number.POSITIVE_INFINITY : Number.parseInt(text, 10);
  } catch {
    return Number.NaN;
  }
}
