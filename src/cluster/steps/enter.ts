/** A dump's entry into the cluster's book: in the namespace that it crashed in, and in no other of that name. */
import type { DumpCluster, DumpRecord } from "../../domain/dump.ts";
import { DumpError } from "../../domain/failures.ts";
import type { Coredump } from "../../kube/coredump.ts";
import type { PodRecord } from "../registration/coredump.ts";
import { bindingOf, type NamespaceState } from "../registration/registry.ts";
import type { DumpContext } from "./context.ts";

/**
 * Makes its object, or finds the one that an earlier try made.
 * @throws DumpError NOT_FOUND when its namespace is gone, or the cluster has no Coredumps
 */
export async function enter(
  context: DumpContext,
  record: PodRecord,
): Promise<{ readonly coredump: Coredump; readonly cluster: DumpCluster }> {
  const { signal } = context;
  const { namespace } = record.pod;
  const view = await context.registry.namespace(namespace, signal);
  // A pod of then that is there says that only the clocks differ.
  const isAnother = isYounger(view, record) && !(await context.registry.pod(record, signal));
  if (view.namespaceUid === undefined || isAnother)
    throw new DumpError("NOT_FOUND", `Cannot register dump ${record.id}: its namespace ${namespace} is gone`);
  if (view.crdUid === undefined)
    throw new DumpError("NOT_FOUND", "Cannot register dumps: the cluster has no Coredumps (CustomResourceDefinition)", {
      hint: "kubectl apply -f install/crd",
    });
  const coredump = await context.registry.create({ ...record, node: context.node }, view.namespaceUid, signal);
  return { coredump, cluster: bindingOf(coredump, view, view.namespaceUid) };
}

/** Clocks of nodes and of the API server may differ so much. */
const SKEW_MS = 60_000;

/** A namespace that was made after the crash is another one, whose owner has no claim to it. */
const isYounger = ({ namespaceSince }: NamespaceState, { dumptime }: DumpRecord): boolean =>
  namespaceSince !== undefined && Date.parse(namespaceSince) > Date.parse(dumptime) + SKEW_MS;
