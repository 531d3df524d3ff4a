/** The store's own file: which cluster it belongs to. The collector writes it, and touches nothing under another's. */
import { ifPossible } from "../../domain/failures.ts";

export const MARKER = ".coredump-detector.json";

/** A key of no bundle: uploads of it are begun to see whether they could be. What a killed one left is the collector's. */
export const PROBE = ".coredump-detector-probe";

interface Marker {
  readonly version: 1;
  /** uid of the namespace kube-system. */
  readonly clusterUid: string;
}

export const markerText = (clusterUid: string): string => `${JSON.stringify({ version: 1, clusterUid })}\n`;

/** What a marker says, or undefined when it is none: then nothing may be removed from the store. */
export function markerIn(text: string): Marker | undefined {
  const json = ifPossible(() => JSON.parse(text) as Partial<Record<keyof Marker, unknown>> | null);
  const { version, clusterUid } = json ?? {};
  return version === 1 && typeof clusterUid === "string" && clusterUid !== "" ? { version, clusterUid } : undefined;
}
