/** Fields that stand twice in an object of JSON. The last one counts, as everywhere; but a strict reader is to be told. */

/** @param text valid JSON. @returns their paths, such as `spec.podname` */
export function duplicatesIn(text: string): string[] {
  const found: string[] = [];
  /** Of the objects and lists that are open: the fields seen so far, and where we are. */
  const open: { readonly fields: Set<string> | undefined; at: string }[] = [];
  for (const [token, inQuotes, isField] of text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\],]/g)) {
    const innermost = open.at(-1);
    if (token === "{" || token === "[")
      open.push({ fields: token === "{" ? new Set() : undefined, at: token === "[" ? "0" : "" });
    else if (token === "}" || token === "]") open.pop();
    else if (token === ",") {
      if (innermost && !innermost.fields) innermost.at = String(Number(innermost.at) + 1);
    } else if (innermost?.fields && isField !== undefined) {
      innermost.at = JSON.parse(inQuotes ?? '""') as string; // {"a": 1, "\u0061": 2} are the same
      if (innermost.fields.has(innermost.at)) found.push(pathOf(open));
      innermost.fields.add(innermost.at);
    }
  }
  return found;
}

const pathOf = (open: readonly { readonly fields: unknown; readonly at: string }[]): string =>
  open
    .map(({ fields, at }) => (fields ? `.${at}` : `[${at}]`))
    .join("")
    .slice(1);
