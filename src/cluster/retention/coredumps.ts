/** What the collector writes into a Coredump. Refused when it was changed meanwhile. */
import { printable } from "../../domain/text.ts";
import { type Coredump, writeCondition } from "../../kube/coredump.ts";
import type { KubeHttp } from "../../kube/http.ts";
import type { Mirrored } from "../../kube/mirror.ts";
import type { Condition } from "../../kube/objects.ts";
import type { Why } from "../policy/retention-world.ts";

/** The condition's reason while a Saved dump's bundle is not where it should be. */
export const MISSING = "BundleMissing";

const WORDS: Readonly<Record<Why, string>> = {
  NamespaceDeleted: "its namespace was deleted",
  OwnerDeleted: "it was deleted",
  NoCoredump: "it had no Coredump",
  PodDeleted: "its pod was deleted, and the time that bundles of such pods are kept is over",
  OverAge: "the time that bundles are kept is over",
  OverSize: "the namespace's bundles took more than they may, and this was the oldest",
  AlreadyDeleted: "it was deleted",
};

/** Its bundle is going: it is not to be expected any more. @returns it, as it is now */
export function markDeleted(http: KubeHttp, record: Mirrored, why: Why, signal: AbortSignal): Promise<Coredump> {
  const message = `the bundle was removed: ${WORDS[why]}`;
  const stored = { status: "False", reason: why, message } as const;
  return writeStored(http, record, stored, signal, { state: "Deleted", reason: why, message });
}

/** It stays Saved, and what was said of the dump stands. @param volume  in which it is looked for */
export const markMissing = (http: KubeHttp, record: Mirrored, volume: string, signal: AbortSignal) =>
  writeStored(http, record, { status: "False", reason: MISSING, message: `it is not in ${printable(volume)}` }, signal);

export const markFound = (http: KubeHttp, record: Mirrored, signal: AbortSignal) =>
  writeStored(http, record, { status: "True", reason: "Verified", message: "" }, signal);

const writeStored = (
  http: KubeHttp,
  record: Mirrored,
  stored: Omit<Condition, "type">,
  signal: AbortSignal,
  change: object = {},
): Promise<Coredump> => writeCondition(http, record, { type: "Stored", ...stored }, change, signal);
