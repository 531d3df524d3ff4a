/** The API server's refusals in a tenant's words: which right, of which part of ours, is missing. */

import { DumpError } from "../../domain/failures.ts";
import { ENDPOINT_API } from "../../kube/objects.ts";

const SERVICE = `kubectl get apiservice ${ENDPOINT_API.split("/").reverse().join(".")} says why`;

interface ObjectPlace {
  readonly namespace: string | undefined;
  readonly name?: string;
}

/**
 * @param resource as RBAC calls it
 * @returns what it was, with a hint that helps users without rights beyond the namespace
 */
export function explained(error: unknown, resource: string, { namespace, name }: ObjectPlace, verb = "get"): unknown {
  if (!(error instanceof DumpError)) return error;
  const where = namespace === undefined ? "in all namespaces" : `in namespace ${namespace}`;
  if (isForbidden(error)) {
    const hint = `Ask for a role that grants "${verb}" on "${resource}" of coredump.fujitsu.com ${where}`;
    return new DumpError("API_DENIED", error.message, { cause: error, hint });
  }
  const isAggregated = resource.includes("/") || resource === "coredumpendpoints";
  if (isAggregated && error.code === "API_KIND_MISSING")
    return new DumpError(
      error.code,
      `Cannot ${verb} ${resource}: this cluster has no API server of coredump-detector`,
      {
        cause: error,
        hint: `It is installed as an APIService: ${SERVICE}`,
      },
    );
  if (isAggregated && error.code === "API_UNAVAILABLE" && error.hint === undefined)
    return new DumpError(error.code, error.message, { cause: error, hint: `If this goes on: ${SERVICE}` });
  if (error.code === "NOT_FOUND" && name !== undefined)
    return new DumpError("DUMP_NOT_FOUND", error.message, {
      cause: error,
      hint: `kubectl coredump list -n ${namespace}`,
    });
  return error;
}

/** RBAC's own refusal, not a policy's or our server's. */
const isForbidden = ({ code, message }: DumpError): boolean =>
  code === "API_DENIED" && / cannot \w+ resource /.test(message);
