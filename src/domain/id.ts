/** Ids of dumps. */
import { readFileSync } from "node:fs";

/**
 * A dump's id: UUIDv7 (RFC 9562 §5.7), so that ids sort by time. Built by hand from the kernel's random UUID because
 * node:crypto costs the handler's start some milliseconds before the first byte.
 *
 * @param timeMs milliseconds since the epoch
 */
export function newDumpId(timeMs: number): string {
  const random = readFileSync("/proc/sys/kernel/random/uuid", "latin1").replaceAll("-", "");
  const time = Math.max(0, Math.floor(timeMs)).toString(16).padStart(12, "0").slice(-12);
  // The random UUID is a v4: its digit 16 already carries the RFC's variant bits.
  const hex = `${time}7${random.slice(13, 32)}`;
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

const DUMP_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** When its dump was begun, in milliseconds since the epoch. */
export const timeOf = (id: string): number => Number.parseInt(id.replace("-", "").slice(0, 12), 16);

export const isDumpId = (text: string): boolean => DUMP_ID.test(text);

/** The last 12 digits, which are random: the first ones are the clock and look alike. */
export const shortId = (id: string): string => id.slice(-12);
