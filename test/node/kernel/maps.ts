/** Mappings as tests describe them, in the kernel's words. */
import { type Mapping, Mappings } from "../../../src/node/kernel/memory-map.ts";

const NAMES: Readonly<Record<Mapping["pages"], string>> = {
  anonymous: "00:00 0 ",
  none: "00:00 0 [vvar]",
  any: "fe:00 77 /usr/bin/x",
};

export const mappingsOf = (mappings: readonly Mapping[]): Mappings =>
  new Mappings(
    Buffer.from(
      mappings
        .map(({ start, end, pages }) => `${start.toString(16)}-${end.toString(16)} rw-p 00000000 ${NAMES[pages]}\n`)
        .join(""),
    ),
  );
