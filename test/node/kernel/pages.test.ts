import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ProgramHeader } from "../../../src/crash/elf/program-headers.ts";
import type { Mapping } from "../../../src/node/kernel/memory-map.ts";
import { type Run, runsOf } from "../../../src/node/kernel/pages.ts";
import { mappingsOf } from "./maps.ts";

const RUN_BYTES = 4 << 20;
const PAGE = 4096;
const at = (page: number): bigint => BigInt(page) * BigInt(PAGE);

/** What pagemap says of a page (proc_pid_pagemap(5)): upper words. */
const STATES = {
  untouched: 0,
  present: 0x81000000,
  shared: 0x80000000, // of several processes, as a fork leaves it
  swapped: 0x40000000,
  guard: 0x44000000,
  dirty: 0x00800000,
} as const;
type PageState = keyof typeof STATES;

interface Memory {
  readonly mappings: readonly Mapping[];
  readonly segments: readonly Pick<ProgramHeader, "vaddr" | "fileBytes" | "offsetBytes">[];
  /** By page number; `untouched` where it says nothing. */
  readonly pages: ReadonlyMap<number, PageState>;
  /** From here on pagemap gives no answer. */
  readonly silentFrom: number;
}

async function runs({ mappings, segments, pages, silentFrom }: Memory): Promise<Run[]> {
  const readPagemap = async (entries: Uint32Array, first: bigint, count: number) => {
    const known = Math.max(0, Math.min(count, silentFrom - Number(first)));
    for (let i = 0; i < known; i++) {
      entries[2 * i] = 0xffffffff; // the frame's number says nothing
      entries[2 * i + 1] = STATES[pages.get(Number(first) + i) ?? "untouched"];
    }
    return known;
  };
  return await Array.fromAsync(
    runsOf(segments, mappingsOf(mappings), readPagemap, { pageBytes: PAGE, runBytes: RUN_BYTES }),
  );
}

const mapping = (from: number, to: number, pages: Mapping["pages"] = "anonymous"): Mapping => ({
  start: at(from),
  end: at(to),
  pages,
});
const segment = (
  from: number,
  to: number,
  offsetPage: number,
): Pick<ProgramHeader, "vaddr" | "fileBytes" | "offsetBytes"> => ({
  vaddr: at(from),
  fileBytes: at(to - from),
  offsetBytes: at(offsetPage),
});
const shown = (found: readonly Run[]) =>
  found.map(({ vaddr, offsetBytes, length }) => [Number(vaddr) / PAGE, Number(offsetBytes) / PAGE, length / PAGE]);
const memory = (change: Partial<Memory>): Memory => ({
  mappings: [mapping(0, 200)],
  segments: [segment(0, 200, 10)],
  pages: new Map(),
  silentFrom: Number.POSITIVE_INFINITY,
  ...change,
});

const cases: readonly { on: string; memory: Memory; want: number[][] }[] = [
  { on: "memory that was never touched", memory: memory({}), want: [] },
  {
    on: "pages, present or swapped",
    memory: memory({
      pages: new Map([
        [5, "present"],
        [100, "swapped"],
        [150, "dirty"], // soft-dirty alone: there is no page
      ]),
    }),
    want: [
      [5, 15, 1],
      [100, 110, 1],
    ],
  },
  {
    on: "shared pages with those beside them",
    memory: memory({
      pages: new Map([
        [5, "present"],
        [6, "shared"],
      ]),
    }),
    want: [[5, 15, 2]],
  },
  {
    on: "a gap of 16 pages, as one",
    memory: memory({
      pages: new Map([
        [5, "present"],
        [22, "present"],
      ]),
    }),
    want: [[5, 15, 18]],
  },
  {
    on: "a gap of 17 pages, as two",
    memory: memory({
      pages: new Map([
        [5, "present"],
        [23, "present"],
      ]),
    }),
    want: [
      [5, 15, 1],
      [23, 33, 1],
    ],
  },
  {
    on: "a guard page, which cannot be read, and nothing across it",
    memory: memory({
      pages: new Map([
        [5, "present"],
        [6, "guard"],
        [8, "present"],
      ]),
    }),
    want: [
      [5, 15, 1],
      [8, 18, 1],
    ],
  },
  {
    on: "a mapping that is not anonymous",
    memory: memory({ mappings: [mapping(0, 200, "any")] }),
    want: [[0, 10, 200]],
  },
  { on: "a mapping that the kernel dumps as zeros", memory: memory({ mappings: [mapping(0, 200, "none")] }), want: [] },
  {
    on: "addresses that no mapping names",
    memory: memory({ mappings: [mapping(50, 60)] }),
    want: [
      [0, 10, 50],
      [60, 70, 140],
    ],
  },
  {
    on: "pages that pagemap does not answer for",
    memory: memory({ silentFrom: 190 }),
    want: [[190, 200, 10]],
  },
  {
    on: "segments in the core's order, not that of their addresses",
    memory: memory({ segments: [segment(100, 101, 10), segment(0, 1, 11)], mappings: [] }),
    want: [
      [100, 10, 1],
      [0, 11, 1],
    ],
  },
  {
    on: "neighbours in memory and in the core, as one",
    memory: memory({
      segments: [segment(0, 5, 10), segment(5, 9, 15), segment(9, 12, 30)],
      mappings: [mapping(0, 5, "any"), mapping(5, 9, "any"), mapping(9, 12, "any")],
    }),
    want: [
      [0, 10, 9],
      [9, 30, 3],
    ],
  },
  {
    on: "a long stretch, in runs that end where the file's windows of 4 MiB do",
    memory: memory({ segments: [segment(0, 2500, 1)], mappings: [] }),
    want: [
      [0, 1, 1023],
      [1023, 1024, 1024],
      [2047, 2048, 453],
    ],
  },
];
for (const { on, memory, want } of cases) {
  test(`runsOf() reads ${on}`, async () => assert.deepEqual(shown(await runs(memory)), want));
}

const PAGES = 260;
const layouts = fc
  .record({
    cuts: fc.uniqueArray(fc.integer({ min: 0, max: PAGES }), { maxLength: 12 }),
    kinds: fc.array(fc.constantFrom<Mapping["pages"] | "hole">("anonymous", "any", "none", "hole"), {
      minLength: 13,
      maxLength: 13,
    }),
    dumped: fc.array(fc.boolean(), { minLength: 13, maxLength: 13 }),
    reversed: fc.boolean(),
    pages: fc.array(
      fc.tuple(
        fc.integer({ min: 0, max: PAGES - 1 }),
        fc.constantFrom<PageState>(...(Object.keys(STATES) as PageState[])),
      ),
      { maxLength: 60 },
    ),
    silentFrom: fc.oneof(fc.constant(PAGES), fc.integer({ min: 0, max: PAGES })),
  })
  .map(({ cuts, kinds, dumped, reversed, pages, silentFrom }): Memory => {
    const edges = [0, ...cuts.filter((cut) => cut > 0 && cut < PAGES).sort((a, b) => a - b), PAGES];
    const stretches = edges.slice(1).map((to, i) => ({ from: edges[i] ?? 0, to, i }));
    const chosen = stretches.filter(({ i }) => dumped[i]);
    let offset = 3;
    const segments = (reversed ? chosen.toReversed() : chosen).map(({ from, to }) => {
      offset += to - from;
      return segment(from, to, offset - (to - from));
    });
    const mappings = stretches.flatMap(({ from, to, i }) => {
      const kind = kinds[i] ?? "hole";
      return kind === "hole" ? [] : [mapping(from, to, kind)];
    });
    return { mappings, segments, pages: new Map(pages), silentFrom };
  });

/** What must be read (true), must not (false), or may be, because it reads as zeros anyway (undefined). */
function verdict({ mappings, pages, silentFrom }: Memory, page: number): boolean | undefined {
  const kind = mappings.find(({ start, end }) => start <= at(page) && at(page) < end)?.pages ?? "any";
  if (kind === "none") return false;
  if (kind === "any" || page >= silentFrom) return true;
  const state = pages.get(page) ?? "untouched";
  return state === "guard" ? false : state === "untouched" || state === "dirty" ? undefined : true;
}

const isAlone = ({ mappings, pages, silentFrom }: Memory, page: number): boolean =>
  page < silentFrom &&
  pages.get(page) === "present" &&
  mappings.some(({ start, end, pages }) => pages === "anonymous" && start <= at(page) && at(page) < end);

test("runsOf() covers what holds data, exactly once, upwards in the core, and never what cannot be read", async () => {
  await fc.assert(
    fc.asyncProperty(layouts, async (memory) => {
      const found = await runs(memory);
      const read = new Set<number>();
      let end = 0n;
      for (const { vaddr, offsetBytes, length, pieces, alone } of found) {
        assert.ok(length > 0 && length <= RUN_BYTES && length % PAGE === 0);
        assert.ok(offsetBytes >= end, "upwards, nothing twice");
        end = offsetBytes + BigInt(length);
        const inPieces = new Set<number>();
        for (const piece of pieces)
          for (let page = (Number(vaddr) + piece.at) / PAGE, i = 0; i < piece.length / PAGE; i++)
            inPieces.add(page + i);
        for (let page = Number(vaddr) / PAGE, i = 0; i < length / PAGE; i++) {
          read.add(page + i);
          const home = memory.segments.find((s) => s.vaddr <= at(page + i) && at(page + i) < s.vaddr + s.fileBytes);
          assert.ok(home && offsetBytes - home.offsetBytes === vaddr - home.vaddr, "at its place");
          const must = verdict(memory, page + i);
          assert.equal(inPieces.has(page + i), must === true, "what was never touched is not read, what was is");
          assert.ok(!alone || must !== true || isAlone(memory, page + i), "nothing is pinned but what is its alone");
        }
      }
      for (const { vaddr, fileBytes } of memory.segments) {
        for (let page = Number(vaddr) / PAGE; at(page) < vaddr + fileBytes; page++) {
          const must = verdict(memory, page);
          assert.ok(must === undefined || must === read.has(page), `page ${page}`);
        }
      }
    }),
  );
});
