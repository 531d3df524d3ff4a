/** Puts our custom resource definitions into a cluster: helm upgrades none, and nothing of ours works without them. */
import { parse } from "yaml";
import { DumpError } from "../domain/failures.ts";
import type { KubeHttp } from "../kube/http.ts";
import { type Conditioned, isTrue, member } from "../kube/objects.ts";
import { assetText } from "../system/asset.ts";
import { pause } from "../system/backoff.ts";

const FILES = ["install/crd/coredumps.yaml", "install/crd/coredumpquotas.yaml"];
const API = "apiextensions.k8s.io/v1";
const LOOK_MS = 250;

/**
 * Creates or upgrades them (server-side apply), and waits until the API server serves them.
 * @returns their names
 * @throws DumpError API_…
 */
export async function putCrds(http: KubeHttp, signal: AbortSignal): Promise<string[]> {
  const definitions = FILES.map((file) => parse(assetText(file)) as Conditioned);
  for (const body of definitions) await http.json({ ...request("patch", body, signal), ...APPLY, body });
  for (const definition of definitions) await established(http, definition, signal);
  return definitions.map(({ metadata: { name } }) => name);
}

/** What an admin changed there by hand is ours again. */
const APPLY = {
  query: { fieldManager: "coredump-detector", force: "true" },
  contentType: "application/apply-patch+yaml", // of which JSON is a part
};

const request = (verb: "get" | "patch", { metadata: { name } }: Conditioned, signal: AbortSignal) => ({
  ...{ verb, signal },
  resource: "customresourcedefinitions",
  path: member(API, "customresourcedefinitions", name),
});

async function established(http: KubeHttp, definition: Conditioned, signal: AbortSignal): Promise<void> {
  for (;;) {
    if (isTrue(await http.json<Conditioned>(request("get", definition, signal)), "Established")) return;
    await pause(LOOK_MS, signal);
    if (signal.aborted)
      throw new DumpError("API_UNAVAILABLE", `Cannot wait for ${definition.metadata.name}: it is not established yet`);
  }
}
