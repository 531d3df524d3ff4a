/** `doctor`: the cache. */
import { formatBytes } from "../../domain/units.ts";
import { ok, problem, type Step, warning } from "../install/step.ts";

export type CacheReading =
  | { readonly dir: string; readonly absent: true }
  | { readonly dir: string; readonly unusable: string }
  /** It is root's, and we are not. */
  | { readonly dir: string; readonly hidden: true }
  | {
      readonly dir: string;
      readonly mode: number;
      readonly dumps: number;
      readonly takenBytes: bigint;
      readonly maxCacheBytes: bigint;
      readonly freeBytes: bigint;
      readonly minFreeBytes: bigint;
    };

export function checkCache(cache: CacheReading): Step {
  if ("absent" in cache) return ok("cache", `${cache.dir}: not there yet, the first dump makes it`);
  if ("hidden" in cache) return warning("cache", `${cache.dir}: only root can look into it`, "Run it as root");
  if ("unusable" in cache) return problem("cache", cache.unusable, "Dumps are lost as long as this is so");
  const { dir, mode, dumps, takenBytes, maxCacheBytes, freeBytes, minFreeBytes } = cache;
  const taken = `${dumps} dump${dumps === 1 ? "" : "s"}, ${formatBytes(takenBytes)} of ${formatBytes(maxCacheBytes)}`;
  const text = `${dir}: ${taken}; ${formatBytes(freeBytes)} free`;
  if (freeBytes <= minFreeBytes) {
    const hint = `New dumps are refused below ${formatBytes(minFreeBytes)}: make room there, or lower --free-share`;
    return problem("cache", text, hint);
  }
  if ((mode & 0o077) !== 0) {
    return warning(
      "cache",
      `${text}; its mode is ${(mode & 0o7777).toString(8).padStart(4, "0")}`,
      `chmod 0700 ${dir}`,
    );
  }
  return ok("cache", text);
}
