/**
 * What HTTP answers to a request for something that has ranges (RFC 9110, sections 13 and 14). Pure. There is no
 * modification time, so conditions on times are either ignored or, in If-Range, not met.
 */
import type { ByteRange } from "../../domain/units.ts";

/** What can be downloaded. */
export interface Representation {
  /** Strong, with its quotation marks. */
  readonly etag: string;
  readonly lengthBytes: number;
  /** ASCII of a bundle's key: nothing in it needs quoting. */
  readonly filename: string;
  readonly contentType: string;
}

interface DownloadAnswer {
  readonly status: 200 | 206 | 304 | 412 | 416;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes that are the answer's body; undefined: it has none. */
  readonly range: ByteRange | undefined;
}

/** As Node gives them. */
type ConditionalHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** @param method  GET or HEAD */
export function answerFor(what: Representation, method: string, headers: ConditionalHeaders): DownloadAnswer {
  const { etag, lengthBytes } = what;
  const field = (name: string): string | undefined => headers[name]?.toString().trim();
  const [ifMatch, ifNoneMatch] = [field("if-match"), field("if-none-match")];
  const always = { "accept-ranges": "bytes", "cache-control": "private, no-store", etag };
  const bodiless = (status: DownloadAnswer["status"], more = {}): DownloadAnswer => ({
    status,
    headers: { ...always, ...(status !== 304 && { "content-length": "0" }), ...more },
    range: undefined,
  });
  if (ifMatch !== undefined && !names(ifMatch, etag, "strong")) return bodiless(412);
  if (ifNoneMatch !== undefined && names(ifNoneMatch, etag, "weak")) return bodiless(304);

  const isGet = method === "GET";
  const ifRange = field("if-range");
  const asked = isGet && (ifRange === undefined || ifRange === etag) ? field("range") : undefined;
  const range = asked === undefined ? undefined : rangeIn(asked, lengthBytes);
  if (range === "unsatisfiable") return bodiless(416, { "content-range": `bytes */${lengthBytes}` });

  const { fromBytes, toBytes } = range ?? { fromBytes: 0, toBytes: lengthBytes };
  return {
    status: range ? 206 : 200,
    headers: {
      ...always,
      "content-type": what.contentType,
      "content-length": `${toBytes - fromBytes}`,
      "content-disposition": `attachment; filename="${what.filename}"`,
      "x-content-type-options": "nosniff",
      ...(range && { "content-range": `bytes ${fromBytes}-${toBytes - 1}/${lengthBytes}` }),
    },
    range: isGet ? { fromBytes, toBytes } : undefined,
  };
}

const ONE_RANGE = /^bytes\s*=\s*(\d*)-(\d*)$/i;

/** The one range that is asked for; undefined for several, for other units and for nonsense: then all is sent. */
function rangeIn(header: string, lengthBytes: number): ByteRange | "unsatisfiable" | undefined {
  const [, first = "", last = ""] = ONE_RANGE.exec(header) ?? [];
  if (first === "") {
    if (last === "") return undefined;
    const bytes = Math.min(Number(last), lengthBytes); // the last so many; numbers beyond 2^53 are beyond any file
    if (Number(last) === 0) return "unsatisfiable";
    return bytes === 0 ? undefined : { fromBytes: lengthBytes - bytes, toBytes: lengthBytes };
  }
  if (last !== "" && Number(last) < Number(first)) return undefined;
  if (Number(first) >= lengthBytes) return "unsatisfiable";
  const toBytes = last === "" ? lengthBytes : Math.min(Number(last) + 1, lengthBytes);
  return { fromBytes: Number(first), toBytes };
}

/** Whether a list of entity tags names this one. What is weak matches weakly only (RFC 9110, 8.8.3.2). */
function names(list: string, etag: string, how: "strong" | "weak"): boolean {
  if (list === "*") return true;
  const tags = list.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return tags.some((tag) => tag === etag || (how === "weak" && tag === `W/${etag}`));
}
