/** What the checks judge, read from the host. Whatever cannot be read is an answer too. */
import { spawnSync } from "node:child_process";
import { lstatSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { HandlerSettings } from "../../config/options.ts";
import { DumpError, errnoOf, ifPossible, reasonOf } from "../../domain/failures.ts";
import { openCache } from "../cache/cache.ts";
import { limitsFor, usageOf } from "../cache/pressure.ts";
import { socketPath } from "../identity/places.ts";
import { start, weakSpotOf } from "../install/handler.ts";
import { type Host, seen } from "../install/host.ts";
import { filesIn } from "../install/put.ts";
import { mountOf } from "../install/trusted.ts";
import { ENABLED, hasSystemd } from "../install/units.ts";
import { type KernelLog, readKmsg } from "../kernel/kmsg.ts";
import { type BootReading, SYSCTL_DIRECTORIES, type SysctlFile } from "./boot.ts";
import type { CacheReading } from "./cache.ts";
import type { EngineReading } from "./engines.ts";
import type { HandlerReading } from "./handler.ts";
import type { KernelReading, SelinuxReading } from "./kernel.ts";

const textOf = (path: string): string | undefined => ifPossible(() => readFileSync(path, "utf8"));

export function readKernel(host: Host): KernelReading {
  const release = host.kernelRelease;
  const packed = ifPossible(() =>
    gunzipSync(readFileSync("/proc/config.gz"), { maxOutputLength: 16 << 20 }).toString("latin1"),
  );
  const config =
    packed ?? textOf(seen(host, `/boot/config-${release}`)) ?? textOf(seen(host, `/lib/modules/${release}/config`));
  return { release, config };
}

export function readSelinux(binary: string, host: Host): SelinuxReading {
  const enforce = textOf("/sys/fs/selinux/enforce");
  const label = enforce && spawnSync("stat", ["-c", "%C", seen(host, binary)], { encoding: "utf8" }).stdout?.trim();
  return { enforce, label: label || undefined };
}

/** Runs the handler only where none but root can have put it. */
export function readHandler(path: string, host: Host): HandlerReading {
  const weak = ifPossible(() => weakSpotOf(path, host));
  const file = ifPossible(() => statSync(seen(host, path)));
  const mount = mountOf(seen(host, path), textOf("/proc/self/mountinfo") ?? "");
  return {
    path,
    file: file && { isFile: file.isFile(), mode: file.mode, uid: file.uid },
    weakSpot: weak,
    noexec: mount?.options.includes("noexec") ? mount.mountPoint : undefined,
    started: weak === undefined && file?.isFile() ? tryStart(path, host) : undefined,
  };
}

function tryStart(path: string, host: Host): HandlerReading["started"] {
  try {
    return start(path, host);
  } catch (error) {
    return { failed: reasonOf(error), hint: error instanceof DumpError ? error.hint : undefined };
  }
}

export const readInitLimits = (): string | undefined => textOf("/proc/1/limits");

/** Those that a dump's owner is asked of. */
export async function readEngines(settings: HandlerSettings): Promise<EngineReading[]> {
  const { runtimesOf } = await import("../identity/confirm.ts");
  return await Promise.all(runtimesOf(settings).map(({ address }) => readEngine(address)));
}

const CONNECT_MS = 2000;

/** Whether a connection is accepted; nothing is sent over it. */
async function readEngine(address: string): Promise<EngineReading> {
  const path = socketPath(address);
  const tcp = /^(?:tcp|https?):\/\/([^:/]+):(\d{1,5})/.exec(address);
  if (path === undefined && !tcp) return { address, failure: "not an address" };
  const socket = path === undefined ? connect(Number(tcp?.[2]), tcp?.[1]) : connect(path);
  const failure = await new Promise<string | undefined>((resolve) => {
    socket.once("connect", () => resolve(undefined));
    socket.once("error", (error) => resolve(errnoOf(error) ?? error.message));
    socket.setTimeout(CONNECT_MS, () => resolve("timeout"));
  });
  socket.destroy();
  return { address, failure };
}

export function readCache(settings: HandlerSettings): CacheReading {
  const dir = settings.dumpDir;
  try {
    const stat = lstatSync(dir, { throwIfNoEntry: false });
    if (!stat) return { dir, absent: true };
    if (stat.uid === 0 && process.geteuid?.() !== 0) return { dir, hidden: true };
    const { spool } = openCache(dir);
    const limits = limitsFor(dir, settings);
    return {
      dir,
      mode: stat.mode & 0o7777,
      dumps: spool.all().length,
      ...usageOf(spool),
      maxCacheBytes: limits.maxCacheBytes,
      minFreeBytes: limits.minFreeBytes,
    };
  } catch (error) {
    return { dir, unusable: error instanceof DumpError ? error.message : `${dir}: ${reasonOf(error)}` };
  }
}

export function readLog(): readonly [log: KernelLog | undefined, why: string] {
  try {
    return [readKmsg(), ""];
  } catch (error) {
    return [undefined, reasonOf(error)];
  }
}

export function readBoot(host: Host): BootReading {
  const sysctls = SYSCTL_DIRECTORIES.flatMap((directory) =>
    filesIn(seen(host, directory))
      .filter((name) => name.endsWith(".conf"))
      .flatMap((name) => sysctlFile(join(directory, name), host)),
  );
  const unitEnabled = ifPossible(() => readlinkSync(seen(host, ENABLED))) !== undefined;
  return { systemd: hasSystemd(host), unitEnabled, sysctls };
}

/** A link to /dev/null hides the files of that name, and reads as an empty one. */
function sysctlFile(path: string, host: Host): SysctlFile[] {
  const text = textOf(seen(host, path));
  return text === undefined ? [] : [{ path, text }];
}
