/** What is answered instead of an object: metav1.Status, in the words that users of Kubernetes know. */
import { DumpError, type FailureCode, reasonOf } from "../../domain/failures.ts";
import { clipped, LIMITS } from "./limits.ts";

export interface StatusBody {
  readonly kind: "Status";
  readonly apiVersion: "v1";
  readonly metadata: object;
  readonly status: "Failure" | "Success";
  readonly message?: string;
  readonly reason?: string;
  readonly details?: Details;
  readonly code: number;
}

interface Details {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly Cause[];
  readonly retryAfterSeconds?: number;
}

export interface Cause {
  readonly reason: string;
  readonly message: string;
  readonly field?: string;
}

/** An answer, thrown. */
export class StatusError extends Error {
  readonly status: StatusBody;

  constructor(code: number, reason: string, message: string, details?: Details) {
    super(message);
    const kind = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure" } as const;
    this.status = { ...kind, message, reason, ...(details && { details }), code };
  }
}

/** An object that is meant: for messages. */
interface Named {
  readonly group?: string;
  readonly resource: string;
  readonly name?: string;
}

const inWords = ({ group, resource, name }: Named): string =>
  `${group ? `${resource}.${group}` : resource}${name ? ` ${JSON.stringify(name)}` : ""}`;
const detailsOf = ({ group, resource, name }: Named): Details => ({
  ...(name && { name }),
  ...(group && { group }),
  kind: resource,
});

export const badRequest = (message: string) => new StatusError(400, "BadRequest", message);
export const unauthorized = () => new StatusError(401, "Unauthorized", "Unauthorized");
export const forbidden = (what: Named, why: string, causes?: readonly Cause[]) =>
  new StatusError(403, "Forbidden", `${inWords(what)} is forbidden: ${why}`, {
    ...detailsOf(what),
    ...(causes && { causes }),
  });
export const notFound = (what: Named, hint = "") =>
  new StatusError(404, "NotFound", `${inWords(what)} not found${hint && `: ${hint}`}`, detailsOf(what));
export const noSuchPath = () => new StatusError(404, "NotFound", "the server could not find the requested resource");
export const methodNotAllowed = () =>
  new StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource");
export const notAcceptable = (types: string) =>
  new StatusError(406, "NotAcceptable", `only the following media types are accepted: ${types}`);
export const alreadyExists = (what: Named) =>
  new StatusError(409, "AlreadyExists", `${inWords(what)} already exists`, detailsOf(what));
export const conflict = (what: Named, why: string) =>
  new StatusError(409, "Conflict", `Operation cannot be fulfilled on ${inWords(what)}: ${why}`, detailsOf(what));
/** The version that the writer meant is not the last. */
export const modified = (what: Named) =>
  conflict(what, "the object has been modified; please apply your changes to the latest version and try again");
export const expired = (message: string) => new StatusError(410, "Expired", message);
export const unsupportedMediaType = (types: string) =>
  new StatusError(
    415,
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${types}`,
  );
export const tooManyRequests = (message: string) =>
  new StatusError(429, "TooManyRequests", message, { retryAfterSeconds: 1 });

/** @param all  what is wrong with which field; at least one. The first few are reported */
export function invalid(kind: string, fullName: string, group: string, all: readonly Cause[]): StatusError {
  const [name, causes] = [clipped(fullName), all.slice(0, LIMITS.words)];
  const words = causes.map(({ field, message }) => `${field}: ${message}`);
  const list = words.length === 1 ? words[0] : `[${words.join(", ")}]`;
  const message = `${kind}.${group} ${JSON.stringify(name)} is invalid: ${list}`;
  return new StatusError(422, "Invalid", message, { name, group, kind, causes });
}

const BY_CODE: Partial<Record<FailureCode, readonly [number, string]>> = {
  USAGE: [400, "BadRequest"],
  NOT_PERMITTED: [403, "Forbidden"],
  NOT_FOUND: [404, "NotFound"],
  DUMP_NOT_FOUND: [404, "NotFound"],
  DUMP_NOT_HELD: [404, "NotFound"],
  DUMP_NOT_READY: [409, "Conflict"],
  DUMP_RESTRICTED: [403, "Forbidden"],
  DUMP_BUSY: [409, "Conflict"],
  API_CONFLICT: [409, "Conflict"],
  API_GONE: [410, "Expired"],
  API_UNAVAILABLE: [503, "ServiceUnavailable"],
  API_KIND_MISSING: [503, "ServiceUnavailable"],
  STORAGE_UNAVAILABLE: [503, "ServiceUnavailable"],
  STORE_UNAVAILABLE: [503, "ServiceUnavailable"],
};

/** Any error as an answer. What is not in the catalogue goes to the log alone. */
export function statusOf(error: unknown): StatusBody {
  if (error instanceof StatusError) return error.status;
  if (!(error instanceof DumpError))
    return new StatusError(500, "InternalError", "Internal error: see the server's log").status;
  const [code, reason] = BY_CODE[error.code as FailureCode] ?? [500, "InternalError"];
  const words = error.hint === undefined ? reasonOf(error) : `${reasonOf(error)}: ${error.hint}`;
  const causes = [{ reason: error.code, message: reasonOf(error) }]; // for programs, which read no messages
  return new StatusError(code, reason, words, { causes, ...(code === 503 && { retryAfterSeconds: 1 }) }).status;
}
