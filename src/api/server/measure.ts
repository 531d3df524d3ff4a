/**
 * How much an object may hold: looked at first, because all that follows costs in proportion. An object that is larger
 * was stored before there were limits; it may be changed and shrink, so that its finalizers can go, but it may not grow.
 */
import { type CoredumpEndpoint, GROUP, KIND } from "./kind.ts";
import { LIMITS } from "./limits.ts";
import { invalid, StatusError } from "./status-error.ts";

const COUNTS: Readonly<Record<string, { readonly most: number; readonly of: (endpoint: CoredumpEndpoint) => number }>> =
  {
    "metadata.labels": { most: 500, of: ({ metadata }) => Object.keys(metadata.labels ?? {}).length },
    "metadata.annotations": { most: 500, of: ({ metadata }) => Object.keys(metadata.annotations ?? {}).length },
    "metadata.finalizers": { most: 100, of: ({ metadata }) => metadata.finalizers?.length ?? 0 },
    "metadata.ownerReferences": { most: 100, of: ({ metadata }) => metadata.ownerReferences?.length ?? 0 },
    "status.conditions": { most: 100, of: ({ status }) => status?.conditions?.length ?? 0 },
  };

/** @throws StatusError 422 for a list or map that is too long, unless it was longer before */
export function assertCounts(next: CoredumpEndpoint, old?: CoredumpEndpoint): void {
  const causes = Object.entries(COUNTS).flatMap(([field, { most, of }]) => {
    const count = of(next);
    if (count <= most || (old && count <= of(old))) return [];
    return [{ reason: "FieldValueTooMany", message: `Too many: ${count}: must have at most ${most} items`, field }];
  });
  if (causes.length > 0) throw invalid(KIND, next.metadata.name, GROUP, causes);
}

/** @param text  as it is to be stored @throws StatusError 413, unless the one before was longer */
export function assertSize(text: string, before?: string): void {
  const bytes = Buffer.byteLength(text);
  if (bytes <= LIMITS.objectBytes || (before !== undefined && bytes <= Buffer.byteLength(before))) return;
  const why = `Request entity too large: the object would have ${bytes} bytes, limit is ${LIMITS.objectBytes}`;
  throw new StatusError(413, "RequestEntityTooLarge", why);
}
