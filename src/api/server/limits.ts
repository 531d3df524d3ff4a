/**
 * How much of anything a client may send; docs/security.md, "Limits of every input", has each with its reason. Kubernetes'
 * own limits are kept where it has one: requests of 3 MiB, 10,000 operations of a patch, 256 KiB of annotations.
 */
export const LIMITS = {
  /** Body of a request, in bytes. */
  bodyBytes: 3 << 20,
  /** Objects and lists inside one another. */
  bodyDepth: 64,
  /** Objects, lists, fields and elements of a body: each costs many times its bytes once it is parsed. */
  bodyValues: 10_000,
  /** Likewise of a JSON patch of as many operations as may be. */
  patchValues: 50_000,
  operations: 10_000,
  pointerLength: 1024,
  /** Elements that all operations of one patch copy, compare or move. */
  patchWork: 1_000_000,
  /** An object as it is stored: all its annotations, and as much again. */
  objectBytes: 384 << 10,
  /** Endpoints of one namespace, and what they take together. */
  namespaceObjects: 5000,
  namespaceBytes: 16 << 20,
  labelSelectorLength: 16_384,
  fieldSelectorLength: 1024,
  requirements: 256,
  acceptLength: 4096,
  continueLength: 2048,
  pathLength: 2048,
  /** Words of one sort in an answer: unknown fields, causes, warnings. */
  words: 10,
} as const;

/** Of what a client said, as much as an answer or a log line repeats. */
export const clipped = (text: string, most = 100): string => (text.length <= most ? text : `${text.slice(0, most)}…`);

/** Likewise, in quotation marks. Takes anything, however deep it is: only text is shown. */
export const quoted = (value: unknown): string =>
  typeof value === "string" ? JSON.stringify(clipped(value)) : value === undefined ? "undefined" : `a ${typeof value}`;
