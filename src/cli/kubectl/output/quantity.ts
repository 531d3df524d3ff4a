/** Kubernetes quantities as bytes, and as people read them. */
import { parseQuantity } from "../../../domain/quantity.ts";
import { formatBytes } from "../../../domain/units.ts";

const NANO = 10n ** 9n;

/** Bytes of a quantity of the API; undefined when there is none. */
export function bytesOf(quantity: string | number | undefined): bigint | undefined {
  const parsed = parseQuantity(quantity);
  return parsed && parsed.nanos / NANO;
}

/** `214 MiB`, or `unknown`. */
export function sizeWords(quantity: string | number | undefined): string {
  const bytes = bytesOf(quantity);
  return bytes === undefined ? "unknown" : formatBytes(bytes);
}
