/** The build's helpers from the host: run a command, and install what is missing. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { DumpError } from "../../src/domain/failures.ts";

/** Standard output of a command that succeeded; its standard error is shown only when it failed. */
export function run(command: string, args: readonly string[], options: { cwd?: string } = {}): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    ...options,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (status === 0) return stdout;
  const why = error?.message ?? (stderr.trim() || stdout.trim() || `exit status ${status}`);
  throw new DumpError("UNEXPECTED", `Cannot run ${command}: ${why}`, { cause: error });
}

export const isInstalled = (tool: string): boolean =>
  (process.env["PATH"] ?? "").split(delimiter).some((directory) => existsSync(join(directory, tool)));

/** Installs the Debian packages of the tools that this machine lacks: `{ tool: package }`. */
export function ensureTools(tools: Readonly<Record<string, string>>): void {
  const packages = Object.keys(tools).flatMap((tool) => (isInstalled(tool) ? [] : (tools[tool] ?? [])));
  if (packages.length === 0) return;
  if (process.getuid?.() !== 0)
    throw new DumpError("NOT_PERMITTED", `Cannot build without ${packages.join(", ")}`, {
      hint: `As root: apt-get install ${packages.join(" ")}`,
    });
  const install = ["-y", "-q", "-o", "DPkg::Lock::Timeout=300", "install", "--no-install-recommends", ...packages];
  try {
    run("apt-get", install);
  } catch {
    run("apt-get", ["-q", "update"]); // a fresh machine has no package lists, an old one stale ones
    run("apt-get", install);
  }
}
