/** What the API server's refusals mean. */
import { DumpError, type FailureCode, ifPossible, isCode } from "../domain/failures.ts";

/** What was asked of one object; undefined where there is no such object. */
export async function ifThere<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isCode(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}

interface Asked {
  readonly verb: string;
  readonly resource: string;
}

const CODES: Readonly<Record<number, FailureCode>> = {
  400: "API_INVALID",
  401: "API_DENIED",
  403: "API_DENIED",
  404: "NOT_FOUND",
  409: "API_CONFLICT",
  410: "API_GONE",
  422: "API_INVALID",
};

/** metav1.Status, as far as we read it. */
interface Status {
  readonly message?: string;
  readonly details?: { readonly name?: string; readonly causes?: readonly { readonly reason?: string }[] };
}

/**
 * A refusal as an error whose message says who was refused what: the server's own words, which name user and verb.
 * @param body the answer; a metav1.Status, unless something between us and the server answered
 */
export function failureOf({ verb, resource }: Asked, httpStatus: number, body: string): DumpError {
  const { message, details } = statusIn(body);
  const words = message ?? (body.trim().slice(0, 200) || `the server answered ${httpStatus}`);
  const isGoing = details?.causes?.some(({ reason }) => reason === "NamespaceTerminating");
  const code = isGoing ? "NOT_FOUND" : codeFor(httpStatus, words, details?.name); // its namespace takes nothing new
  const isStores = details?.causes?.some(({ reason }) => reason?.startsWith("STORE_")); // as our own API server says it
  const hint = isStores ? ITS_STORE : hintFor(code, httpStatus, { verb, resource }, words);
  return new DumpError(code, `Cannot ${verb} ${resource}: ${words}`, hint === undefined ? {} : { hint });
}

const ITS_STORE = "the store fails, not the API: try again; kubectl coredump check shows an admin more";

function codeFor(httpStatus: number, words: string, name: string | undefined): FailureCode {
  // A cluster that was restored from an older state does not know versions that we have seen.
  if (/too large resource version/i.test(words)) return "API_GONE";
  // An answer about a missing object has its name; a kind that is missing has none.
  if (httpStatus === 404 && !name) return "API_KIND_MISSING";
  return CODES[httpStatus] ?? "API_UNAVAILABLE";
}

function hintFor(code: FailureCode, httpStatus: number, { verb, resource }: Asked, words: string): string | undefined {
  if (httpStatus === 401) return "the credentials are unknown to the API server, or have expired";
  if (code === "API_KIND_MISSING") return "the custom resources are missing: kubectl apply -f install/crd";
  if (code !== "API_DENIED") return undefined;
  if (!/ cannot \w+ resource /.test(words)) return "an admission policy refused it: see the message";
  return `a role must grant "${verb}" on "${resource}": see install/rbac`;
}

function statusIn(body: string): Status {
  const json = ifPossible(() => JSON.parse(body) as (Status & { kind?: string }) | null);
  return json?.kind === "Status" ? json : {};
}
