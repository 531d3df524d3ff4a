/** Labels of Coredumps, by which they are found. */
const PREFIX = "coredump.fujitsu.com";
/** The API's most. */
const MAX_LENGTH = 63;

export const LABELS = {
  id: `${PREFIX}/id`,
  podUid: `${PREFIX}/pod-uid`,
  container: `${PREFIX}/container`,
  node: `${PREFIX}/node`,
  executable: `${PREFIX}/executable`,
  /** The crash's fingerprint: by it crashes of one kind are found (docs/crash.md). */
  crash: `${PREFIX}/crash`,
} as const;

/** A valid label value for any text; the empty one is valid too. */
export function labelValue(text: string | null | undefined): string {
  const plain = (text ?? "").replace(/[^A-Za-z0-9._-]+/g, "_").replace(/^[^A-Za-z0-9]+/, "");
  return plain.slice(0, MAX_LENGTH).replace(/[^A-Za-z0-9]+$/, "");
}
