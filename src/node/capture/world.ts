/** What the handler finds around it, so that a replay can bring its own. */
import type { HandlerSettings } from "../../config/options.ts";
import type { Identification } from "../identity/runtime.ts";

/** What the handler finds around it; a replay brings its own. */
export interface World {
  readonly proc: string;
  /** The read end of the kernel's pipe. */
  readonly stdin: number;
  readonly settings: HandlerSettings;
  readonly node: string;
  /** Of this very program, to know its own self-test. */
  readonly executable: string;
  /** The core_pattern that was there before ours, when it was a pipe handler's. */
  readonly formerHandler: string | undefined;
  /** Hands the finished dump to the agent or the cluster, and says which; a replay has neither. Never rejects. */
  readonly handOver?: (id: string) => Promise<"agent" | "cluster" | "nobody">;
  /** Our process is released: what is left to do may wait for handlers whose processes are held. */
  readonly released?: () => void;
  /** From now on we may take long, at the lowest priority. */
  readonly inBackground?: () => void;
  /** The last place to tell of a dump that left no record. */
  readonly kernelLog: (text: string) => void;
  readonly identify: {
    quickly(facts: ReadonlyMap<string, Buffer>, settings: HandlerSettings): Identification;
    byApi(
      quick: Identification,
      cgroup: Buffer,
      settings: HandlerSettings,
      signal: AbortSignal,
    ): Promise<Identification>;
  };
}
