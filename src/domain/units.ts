/** Units as people write and read them. Bytes are bigint inside, plain numbers in JSON. */

const KIB = 1024n;
const SUFFIXES: Readonly<Record<string, bigint>> = {
  "": 1n,
  k: 1000n,
  M: 1000n ** 2n,
  G: 1000n ** 3n,
  T: 1000n ** 4n,
  P: 1000n ** 5n,
  E: 1000n ** 6n,
  Ki: KIB,
  Mi: KIB ** 2n,
  Gi: KIB ** 3n,
  Ti: KIB ** 4n,
  Pi: KIB ** 5n,
  Ei: KIB ** 6n,
};

/** A byte count as Kubernetes writes quantities (`32Gi`, `500M`, `1024`; also `32GiB`, `32 GiB`); undefined when it is none. */
export function parseBytes(text: string): bigint | undefined {
  const match = /^\s*(\d{1,18})(?:\.(\d{1,6}))?\s*([KkMGTPE]?i?)B?\s*$/.exec(text);
  if (!match) return undefined;
  const [, whole = "", fraction = "", unit = ""] = match;
  const factor = SUFFIXES[unit === "K" ? "k" : unit === "ki" ? "Ki" : unit];
  if (factor === undefined) return undefined;
  return BigInt(whole) * factor + (fraction ? (BigInt(fraction) * factor) / 10n ** BigInt(fraction.length) : 0n);
}

/** `214 MiB`, `2.1 GiB`, `512 B`: three figures at the most, as a person reads them. */
export function formatBytes(bytes: bigint | number): string {
  let value = Number(bytes);
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  let unit = 0;
  for (; value >= 1023.5 && unit < units.length - 1; unit++) value /= 1024;
  const text = unit > 0 && value < 9.95 ? value.toFixed(1).replace(/\.0$/, "") : Math.round(value).toString();
  return `${text} ${units[unit]}`;
}

/** `214Mi`, as kubectl writes sizes. */
export const shortBytes = (bytes: bigint | number): string => formatBytes(bytes).replace(/ (.*)B$/, "$1");

/** Bytes for JSON: a plain number; beyond 2^53 (only hostile headers claim that much) the largest exact one. */
export function jsonBytes(bytes: bigint): number {
  return bytes > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(bytes);
}

/** `90`, `15m`, `1h30m`, `2d` as milliseconds (a bare number is seconds); undefined when it is none. */
export function parseDurationMs(text: string): number | undefined {
  if (/^\d{1,12}$/.test(text)) return Number(text) * 1000;
  const match = /^(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?(?:(\d{1,9})ms)?$/.exec(text);
  if (!match || text === "") return undefined;
  const [days = 0, hours = 0, minutes = 0, seconds = 0, ms = 0] = match.slice(1).map((part) => Number(part ?? 0));
  return ((days * 24 + hours) * 60 + minutes) * 60_000 + seconds * 1000 + ms;
}

/** `0.31s`, `12s`, `3h12m`, `5d4h`: two parts at the most. */
export function formatDuration(ms: number): string {
  if (ms < 10_000) return `${Number((ms / 1000).toFixed(2))}s`;
  const seconds = Math.floor(ms / 1000);
  const [days, hours, minutes] = [
    Math.floor(seconds / 86400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return hours > 0 ? `${days}d${hours}h` : `${days}d`;
  if (hours > 0) return minutes > 0 ? `${hours}h${minutes}m` : `${hours}h`;
  if (minutes > 0) return seconds % 60 > 0 ? `${minutes}m${seconds % 60}s` : `${minutes}m`;
  return `${seconds}s`;
}

export interface ByteRange {
  readonly fromBytes: number;
  /** The first byte that is not in it any more. */
  readonly toBytes: number;
}
