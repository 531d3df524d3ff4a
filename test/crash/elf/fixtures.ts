/** The cores that fixtures/elf/make had the kernel write. */
import { readFileSync } from "node:fs";

export type Name = "segv" | "kill" | "threads" | "i386" | "gcore";
export const NAMES: readonly Name[] = ["segv", "kill", "threads", "i386", "gcore"];

export const fixture = (name: Name): Buffer =>
  readFileSync(new URL(`../../../fixtures/elf/${name}.core`, import.meta.url));
