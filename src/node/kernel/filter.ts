/** What the process asked the kernel to leave out of its core (core(5), "Controlling which mappings are written"). */
const KINDS = [
  "private anonymous memory",
  "shared anonymous memory",
  "private mappings of files",
  "shared mappings of files",
  "ELF headers",
  "private huge pages",
  "shared huge pages",
] as const;

/** CONFIG_CORE_DUMP_DEFAULT_ELF_HEADERS is on everywhere. */
const DEFAULT = 0x33;

/**
 * A warning where a core can be all that it was to be, and still lack memory that cores usually have.
 * @param fact  content of /proc/P/coredump_filter, hexadecimal
 */
export function leftOut(fact: Buffer | undefined): string | undefined {
  const filter = Number.parseInt(fact?.toString("latin1") ?? "", 16);
  if (Number.isNaN(filter)) return undefined;
  const missing = KINDS.filter((_, bit) => (DEFAULT & ~filter & (1 << bit)) !== 0);
  if (missing.length === 0) return undefined;
  return `its coredump_filter 0x${filter.toString(16)} left out ${missing.join(", ")}: the core is as the process wanted it`;
}
