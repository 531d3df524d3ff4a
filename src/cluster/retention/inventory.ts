/** What of a store is ours, by its keys alone. */
import { parseKey } from "../../store/bundle/key.ts";
import { PROBE } from "../../store/bundle/marker.ts";
import type { BundleStore, ListedFile, Unfinished } from "../../store/ports/bundle-store.ts";
import { dumpOf } from "../policy/retention.ts";
import type { BundleView, UploadView } from "../policy/retention-world.ts";

/** Keys of another grammar are left out: they are neither served nor removed. @param folder as the store's */
export async function bundlesIn(store: BundleStore, folder: string, signal: AbortSignal): Promise<BundleView[]> {
  const files = await Array.fromAsync(store.list(folder, signal), bundleView);
  return files.filter((bundle) => bundle !== undefined);
}

export type UploadToAbort = UploadView & { readonly upload: Unfinished };

export async function uploadsIn(store: BundleStore, signal: AbortSignal): Promise<UploadToAbort[]> {
  const uploads: UploadToAbort[] = [];
  for await (const upload of store.unfinished(signal)) {
    const parsed = parseKey(upload.key);
    if (!parsed && upload.key !== PROBE) continue;
    const dump = parsed?.kind === "pod" ? dumpOf(parsed.namespace, parsed.podUid, parsed.shortId) : "";
    uploads.push({ key: upload.key, dump, begunMs: upload.begun.getTime(), upload });
  }
  return uploads;
}

function bundleView({ key, sizeBytes, modified }: ListedFile): BundleView | undefined {
  const parsed = parseKey(key);
  if (!parsed) return undefined;
  const common = { key, kind: parsed.kind, restricted: parsed.restricted, sizeBytes, sinceMs: modified.getTime() };
  if (parsed.kind !== "pod" || parsed.restricted) return { ...common, namespace: "", podUid: "", dump: "" };
  const { namespace, podUid, shortId } = parsed;
  return { ...common, namespace, podUid, dump: dumpOf(namespace, podUid, shortId) };
}
