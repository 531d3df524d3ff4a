/** A crash as the API has it: what is not known is left out there, and every field may be missing. */
import type { Crash, CrashFrame, CrashModule, CrashThread } from "../../domain/crash.ts";

type Sparse<T> = { readonly [K in keyof T]?: Exclude<T[K], null> };

export interface CrashInApi extends Sparse<Omit<Crash, "stack" | "threads" | "modules">> {
  readonly stack?: readonly Sparse<CrashFrame>[];
  readonly threads?: readonly (Sparse<Omit<CrashThread, "stack">> & {
    readonly stack?: readonly Sparse<CrashFrame>[];
  })[];
  readonly modules?: readonly Sparse<CrashModule>[];
}

/** The same with nulls again, as the words for it are made from. */
export const crashFrom = (crash: CrashInApi): Crash => ({
  title: "a crash",
  fingerprint: null,
  site: null,
  version: 1,
  problem: null,
  runtime: null,
  deeper: false,
  ...crash,
  stack: (crash.stack ?? []).map(frameFrom),
  threads: (crash.threads ?? []).map((thread) => ({
    tid: 0,
    name: null,
    crashed: false,
    ...thread,
    stack: (thread.stack ?? []).map(frameFrom),
  })),
  modules: (crash.modules ?? []).map((module) => ({
    path: "unknown",
    buildId: null,
    start: "0x0",
    end: "0x0",
    sha256: null,
    state: "notOpened" as const,
    package: null,
    go: null,
    ...module,
  })),
});

const frameFrom = (frame: Sparse<CrashFrame>): CrashFrame => ({
  function: null,
  module: null,
  pc: "unknown",
  offset: null,
  functionOffset: null,
  file: null,
  line: null,
  inlined: false,
  kind: "native",
  trust: "cfi",
  ...frame,
});
