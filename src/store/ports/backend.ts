/** A kind of store: a folder of its own beside this one, and a row in open.ts. */
import type { BundleStore } from "./bundle-store.ts";
import type { DumpSink } from "./sink.ts";
import type { DumpSource } from "./source.ts";

/** What a backend makes of a location. Nothing is connected before it is used. */
export interface Backend {
  readonly sink: () => DumpSink;
  readonly source: () => DumpSource;
  readonly store: () => BundleStore;
  /**
   * Whether the store lets us in as one who puts bundles, before there is anything to do. Leaves nothing, and tries once: the
   * caller asks how it is now. @throws DumpError STORE_…, as the port; the signal's reason
   */
  readonly probeWriting: (signal: AbortSignal) => Promise<void>;
  /** Likewise as one who reads: by the store's mark. That it is not there, or hidden from one who may not list, says nothing. */
  readonly probeReading: (signal: AbortSignal) => Promise<void>;
}
