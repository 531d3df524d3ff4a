/** What Kubernetes allows as names, labels and annotations. Each function says what is wrong, or nothing. */
import { isName, MAX_NAME_LENGTH } from "../../kube/names.ts";

const QUALIFIED = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const UID = /^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?$/;
/** Prefix, slash, name; what is cut off after it was too long anyway. */
const LONGEST_KEY = 253 + 1 + 63;
const ANNOTATION_BYTES = 256 * 1024;

const SUBDOMAIN_WORDS =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";

export function nameProblem(name: string): string | undefined {
  if (name.length > MAX_NAME_LENGTH) return `must be no more than ${MAX_NAME_LENGTH} characters`;
  return isName(name) ? undefined : SUBDOMAIN_WORDS;
}

/** Of pods and namespaces. Those that Kubernetes makes are UUIDs, but it promises no more than this; a path it never is. */
export const uidProblem = (uid: string): string | undefined =>
  uid.length <= 64 && UID.test(uid) ? undefined : "must be a UID: at most 64 alphanumeric characters or '-'";

/** `app`, `example.com/app`: of labels, annotations and finalizers. */
export function qualifiedNameProblem(key: string): string | undefined {
  const [name = "", prefix, ...more] = key
    .slice(0, LONGEST_KEY + 1)
    .split("/")
    .reverse();
  if (more.length > 0 || name === "" || name.length > 63 || !QUALIFIED.test(name))
    return "a qualified name must consist of alphanumeric characters, '-', '_' or '.', at most 63 of them, and must start and end with an alphanumeric character, with an optional DNS subdomain prefix and '/'";
  if (prefix === undefined) return undefined;
  return prefix === "" ? "prefix part must be non-empty" : nameProblem(prefix);
}

export const labelValueProblem = (value: string): string | undefined =>
  value === "" || (value.length <= 63 && QUALIFIED.test(value))
    ? undefined
    : "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', at most 63 of them, and must start and end with an alphanumeric character";

/** Their keys may be in capitals, which their prefixes may not. */
export function annotationsProblem(annotations: Readonly<Record<string, string>>): string | undefined {
  const entries = Object.entries(annotations);
  const bytes = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  if (bytes > ANNOTATION_BYTES) return `must have at most ${ANNOTATION_BYTES} bytes`;
  return entries.map(([key]) => qualifiedNameProblem(key.toLowerCase())).find((problem) => problem !== undefined);
}
