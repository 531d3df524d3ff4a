/**
 * Kubernetes quantities (`1500m`, `4Gi`, `1e3`), exactly: a whole number of billionths, which is as fine as the API goes.
 * Grammar: a decimal number, then a decimal suffix (n u m k M G T P E), a binary one (Ki … Ei) or an exponent (e3, E-3).
 */
type QuantityFormat = "binary" | "decimal" | "exponent";

export interface Quantity {
  /** Billionths. */
  readonly nanos: bigint;
  /** How it was written, and so how what is counted against it should be. */
  readonly format: QuantityFormat;
}

const NANO = 10n ** 9n;
const DECIMAL = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
const BINARY = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/** The API refuses longer ones; ten million digits must not keep us busy. */
const MAX_LENGTH = 64;
const MAX_EXPONENT = 64;

const SHAPE = /^([+-]?)(?=\.?\d)(\d*)\.?(\d*)(?:(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?|[eE]([+-]?\d{1,3}))$/;

/** @returns undefined when it is none. What is finer than a billionth is rounded up, away from zero, as the API does. */
export function parseQuantity(text: unknown): Quantity | undefined {
  const match = SHAPE.exec(typeof text === "number" ? String(text) : typeof text === "string" ? text : "");
  if (!match || match[0].length > MAX_LENGTH) return undefined;
  const [, sign, whole = "", fraction = "", suffix = "", exponent] = match;
  if (Math.abs(Number(exponent ?? 0)) > MAX_EXPONENT) return undefined;
  const binary = suffix === "" ? 0 : Math.max(BINARY.indexOf(suffix), 0);
  const tens = exponent === undefined ? (binary > 0 ? 0 : (DECIMAL.indexOf(suffix) - 3) * 3) : Number(exponent);
  const digits = BigInt(whole + fraction) * 1024n ** BigInt(binary) * NANO;
  const shift = tens - fraction.length;
  const nanos = shift >= 0 ? digits * 10n ** BigInt(shift) : dividedUp(digits, 10n ** BigInt(-shift));
  const format = binary > 0 ? "binary" : exponent === undefined ? "decimal" : "exponent";
  return { nanos: sign === "-" ? -nanos : nanos, format };
}

/** Whole bytes; undefined when it is no quantity. */
export function bytesIn(quantity: unknown): bigint | undefined {
  const parsed = parseQuantity(quantity);
  return parsed && parsed.nanos / NANO;
}

const dividedUp = (dividend: bigint, divisor: bigint): bigint => (dividend + divisor - 1n) / divisor;

/** The shortest way to write it without a fraction, as the API does: 1536Mi, 1Gi, 1500m; below 1Ki binary ones are decimal. */
export function formatQuantity({ nanos, format }: Quantity): string {
  if (nanos === 0n) return "0";
  const size = nanos < 0n ? -nanos : nanos;
  const sign = nanos < 0n ? "-" : "";
  if (format === "binary" && size % NANO === 0n && size >= 1024n * NANO) {
    const [value, power] = reduced(size / NANO, 1024n, BINARY.length - 1);
    return `${sign}${value}${BINARY[power]}`;
  }
  const [value, power] = reduced(size, 1000n, format === "exponent" ? 30 : DECIMAL.length - 1);
  if (format !== "exponent") return `${sign}${value}${DECIMAL[power]}`;
  return `${sign}${value}${power === 3 ? "" : `e${(power - 3) * 3}`}`;
}

/** Exactly, in the suffixes of `format` or in binary ones, whichever is shorter: bytes on a disk are whole Ki, and `2060288` says little. */
export function shortQuantity({ nanos, format }: Quantity): string {
  const [own, binary] = [formatQuantity({ nanos, format }), formatQuantity({ nanos, format: "binary" })];
  return binary.length < own.length ? binary : own;
}

/** As many digits as one reads at a glance. */
const GLANCE = 5;

/** For people: exactly where that is short, else in binary suffixes with two decimals, rounded up: 2124Ki, 9.01Gi. */
export function readableQuantity(quantity: Quantity): string {
  const exact = shortQuantity(quantity);
  const bytes = dividedUp(quantity.nanos, NANO);
  if (exact.replace(/\D/g, "").length <= GLANCE || bytes < 1024n) return exact;
  let power = 1;
  while (power < BINARY.length - 1 && bytes >= 1024n ** BigInt(power + 1)) power++;
  const hundredths = dividedUp(bytes * 100n, 1024n ** BigInt(power));
  const decimals = String(hundredths % 100n).padStart(2, "0");
  return `${hundredths / 100n}.${decimals}`.replace(/\.00$|(?<=\.\d)0$/, "") + BINARY[power];
}

/** The value without the powers of `base` that it holds, and how many those were. */
function reduced(value: bigint, base: bigint, most: number): [bigint, number] {
  let power = 0;
  for (; power < most && value % base === 0n; power++) value /= base;
  return [value, power];
}
