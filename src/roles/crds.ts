/** Puts our custom resource definitions into a cluster: helm upgrades none, and nothing of ours works without them. */
import { parse } from "yaml";
import { DumpError } from "../domain/failures.ts";
import { pause } from "../kube/backoff.ts";
import type { KubeHttp } from "../kube/http.ts";
import { type KubeObject, member } from "../kube/objects.ts";
import { assetText } from "../system/asset.ts";

const FILES = ["install/crd/coredumps.yaml", "install/crd/coredumpquotas.yaml"];
const API = "apiextensions.k8s.io/v1";
const LOOK_MS = 250;

interface Definition extends KubeObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/**
 * Creates or upgrades them (server-side apply), and waits until the API server serves them.
 * @returns their names
 * @throws DumpError API_…
 */
export async function putCrds(http: KubeHttp, signal: AbortSignal): Promise<string[]> {
  const definitions = FILES.map((file) => parse(assetText(file)) as Definition);
  for (const body of definitions) await http.json({ ...request("patch", body, signal), ...APPLY, body });
  for (const definition of definitions) await established(http, definition, signal);
  return definitions.map(({ metadata: { name } }) => name);
}

/** What an admin changed there by hand is ours again. */
const APPLY = {
  query: { fieldManager: "coredump-detector", force: "true" },
  contentType: "application/apply-patch+yaml", // of which JSON is a part
};

const request = (verb: "get" | "patch", { metadata: { name } }: Definition, signal: AbortSignal) => ({
  ...{ verb, signal },
  resource: "customresourcedefinitions",
  path: member(API, "customresourcedefinitions", name),
});

async function established(http: KubeHttp, definition: Definition, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { status } = await http.json<Definition>(request("get", definition, signal));
    if (status?.conditions?.some(({ type, status }) => type === "Established" && status === "True")) return;
    await pause(LOOK_MS, signal);
    if (signal.aborted)
      throw new DumpError("API_UNAVAILABLE", `Cannot wait for ${definition.metadata.name}: it is not established yet`);
  }
}
