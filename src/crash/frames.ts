/** Frames for people: each with its module, offset and function. All stacks at once, so that each table is read once. */

import type { CrashFrame } from "../domain/crash.ts";
import { textOf } from "../domain/text.ts";
import { hex, safeName } from "./elf/safe-name.ts";
import type { Module } from "./image/modules.ts";
import { type FoundSymbol, symbolsOf } from "./image/symbols.ts";
import { demangled } from "./names/demangle.ts";
import { trampolineAt } from "./unwind/by-signal.ts";
import { isGenerated } from "./unwind/by-stack.ts";
import { attempted, type Context, type Frame } from "./unwind/context.ts";
import type { Walked } from "./unwind/walk.ts";

interface Placed {
  readonly frame: Frame;
  readonly module: Module | undefined;
  /** Where it is looked up: a caller's last byte of the call. */
  readonly vaddr: number;
}

/** For each walked stack its frames, from the crash outwards; several for one that has others inlined. */
export function framesOf(context: Context, walked: readonly Walked[]): CrashFrame[][][] {
  const placed = walked.map(({ frames }) => frames.map((frame) => placedIn(context, frame)));
  const symbols = symbolsFor(placed.flat());
  return placed.map((frames) => frames.map((each) => shown(context, each, symbols)));
}

function placedIn(context: Context, frame: Frame): Placed {
  const at = frame.exact ? frame.pc : frame.pc - 1n;
  const module = context.modules.at(at);
  return { frame, module, vaddr: module?.image ? context.vaddrIn(module, at) : -1 };
}

type Symbols = ReadonlyMap<Module, ReadonlyMap<number, FoundSymbol>>;

function symbolsFor(frames: readonly Placed[]): Symbols {
  const symbols = new Map<Module, ReadonlyMap<number, FoundSymbol>>();
  for (const [module, each] of Map.groupBy(frames, ({ module }) => module)) {
    const image = module?.image;
    if (!module || !image) continue;
    const wanted = [...new Set(each.map(({ vaddr }) => vaddr))];
    symbols.set(module, attempted(() => symbolsOf(image, wanted)) ?? new Map());
  }
  return symbols;
}

/** What was inlined at a frame's place, the innermost first, and then the frame itself. */
function shown(context: Context, placed: Placed, symbols: Symbols): CrashFrame[] {
  const frame = bareFrame(context, placed, symbols);
  const places = attempted(() => placesOf(context, placed)) ?? [];
  return places.length === 0 ? [frame] : places.map((place) => withPlace(frame, place));
}

const withPlace = (frame: CrashFrame, { name, file, line, inlined, kind }: Place): CrashFrame => ({
  ...frame,
  function: name === null ? frame.function : safeName(textOf(Buffer.from(name, "latin1"))),
  file: file === null ? null : safeName(textOf(Buffer.from(file, "latin1"))),
  line,
  inlined,
  kind: frame.kind === "native" ? kind : frame.kind,
});

interface Place {
  readonly name: string | null;
  readonly file: string | null;
  readonly line: number | null;
  readonly inlined: boolean;
  readonly kind: CrashFrame["kind"];
}

function placesOf(context: Context, { frame, module, vaddr }: Placed): Place[] {
  const go = context.goAt(frame);
  if (go) return go.table.placesAt(go.function, go.vaddr).map((place) => ({ ...place, kind: "go" as const }));
  const debug = module && context.debugInfo(module);
  // What is not inlined has its name from the symbols, as it would without debug information.
  return (debug?.placesAt(vaddr) ?? []).map(({ name, inlined, ...place }) => ({
    ...place,
    inlined,
    name: name === null || !inlined ? null : demangled(name),
    kind: "native" as const,
  }));
}

function bareFrame(context: Context, { frame, module, vaddr }: Placed, symbols: Symbols): CrashFrame {
  const symbol = module && symbols.get(module)?.get(vaddr);
  const isSignal = attempted(() => trampolineAt(context, frame.pc)) !== undefined;
  const isKnown = module?.image !== undefined;
  const offset = isKnown ? context.vaddrIn(module, frame.pc) : null;
  const start =
    symbol?.start ??
    attempted(() => context.goAt(frame))?.function.start ??
    (isKnown ? context.entryAt(module, vaddr)?.start : undefined);
  const offsetInFunction = offset === null || start === undefined ? null : offset - start;
  return {
    function: symbol ? safeName(demangled(textOf(Buffer.from(symbol.name, "latin1")))) : null,
    module: module?.index ?? null,
    pc: hex(frame.pc),
    offset,
    functionOffset: offsetInFunction,
    file: null,
    line: null,
    inlined: false,
    kind: isSignal ? "signal" : isGenerated(context, frame.pc) ? "jit" : "native",
    trust: frame.trust,
  };
}
