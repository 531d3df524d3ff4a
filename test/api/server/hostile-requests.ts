/** Requests that are as dear as a tenant can make them within what the server reads of one, by kind. */
import { IN_TEAM } from "./api.ts";
import { LARGEST } from "./largest.ts";

export interface Hostile {
  readonly on: string;
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export const ONE = `${IN_TEAM}/one`;
const BODY = (3 << 20) - 1000;
/** Of a request line and its headers, below Node's 256 KiB. */
const HEAD = 200_000;

const fill = (part: string, length: number): string => part.repeat(Math.floor(length / part.length));
const list = (part: string, length = BODY): string => `[${fill(`${part},`, length).slice(0, -1)}]`;
const numbered = (part: (at: number) => string, length = BODY): string[] => {
  const all: string[] = [];
  for (let [at, sum] = [0, 0]; sum < length; at++) {
    all.push(part(at));
    sum += part(at).length + 1;
  }
  return all.slice(0, -1);
};
const nested = (open: string, close: string, depth: number): string => open.repeat(depth) + close.repeat(depth);

/** For a query: no escape is cut in two, or nothing would be decoded. */
const encoded = (text: string): string => encodeURIComponent(text).slice(0, HEAD).replace(/%.?$/, "");

const selectors: Readonly<Record<string, string>> = {
  commas: fill(",", HEAD),
  "many keys": fill("a,", HEAD),
  "open parentheses": fill("(", HEAD),
  "commas in parentheses that never close": `a in (${fill(",", HEAD)}`,
  "parentheses and commas": fill("(,", HEAD),
  "closing parentheses": fill(",)", HEAD),
  "one key of spaces": `a${fill(" ", 60_000)}!`,
  "equal signs": fill("=", HEAD),
  "many values": `a in (${fill("b,", HEAD)}b)`,
  "as many values as may be": `a notin (${fill("b,", 16_000)}b)`,
  "as many requirements as may be": fill("!zz,", 1000).slice(0, -1),
  slashes: fill("/", HEAD),
};
const queries: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    Object.entries(selectors).map(([on, text]) => [`a label selector: ${on}`, `labelSelector=${encoded(text)}`]),
  ),
  ...Object.fromEntries(
    Object.entries(selectors).map(([on, text]) => [`a field selector: ${on}`, `fieldSelector=${encoded(text)}`]),
  ),
  "a hundred thousand parameters": fill("a=&", HEAD),
  "parameters of many names": numbered((at) => `p${at}=1`, HEAD).join("&"),
  "one parameter, again and again": fill("limit=1&", HEAD),
  "percent signs": `limit=${fill("%25", HEAD)}`,
  "broken percent signs": `limit=${fill("%", HEAD)}`,
  "a continue token": `limit=1&continue=${fill("A", HEAD)}`,
  "a continue token of JSON": `limit=1&continue=${Buffer.from(fill("[", HEAD / 2)).toString("base64url")}`,
  "a long number": `limit=${fill("9", HEAD)}`,
  "a long resourceVersion": `resourceVersion=${fill("9", HEAD)}`,
  "a watch with everything": `watch=1&resourceVersion=x&sendInitialEvents=${fill("1", HEAD)}&resourceVersionMatch=NotOlderThan`,
  "a watch's time-out": `watch=1&timeoutSeconds=${fill("0", HEAD)}`,
  "a table option": `includeObject=${fill("Object", HEAD)}`,
};

const headers: Readonly<Record<string, Record<string, string>>> = {
  "Accept of many types": { accept: fill("a/b,", HEAD) },
  "Accept of many parameters": { accept: `application/json${fill(";q", HEAD)}` },
  "Accept of weights": { accept: fill("*/*;q=0,", HEAD) },
  "Accept of table forms": { accept: fill("application/json;as=Table;v=v0;g=meta.k8s.io,", HEAD) },
  "If-Match of quotation marks": { "if-match": fill('"', HEAD) },
  "If-None-Match of tags": { "if-none-match": fill('W/"a",', HEAD) },
  "Range of ranges": { range: `bytes=${fill("0-1,", HEAD)}` },
  "Range of spaces": { range: `bytes${" ".repeat(HEAD)}=0-1` },
  "a content type": { "content-type": fill("application/json;", HEAD) },
  "many headers": Object.fromEntries(Array.from({ length: 900 }, (_, at) => [`x-remote-extra-${at}`, "x".repeat(180)])),
};

const operations = {
  "an operation of a deep pointer": `[{"op":"add","path":"${fill("/a", BODY)}","value":1}]`,
  "operations of deep pointers": list(`{"op":"test","path":"${fill("/a", 250_000)}","value":1}`),
  "operations of long pointers": list(`{"op":"add","path":"/metadata/annotations/${"k".repeat(900)}","value":"x"}`),
  "as many operations as fit": list(`{"op":"add","path":"/a","value":1}`),
  "ten thousand additions": list(`{"op":"add","path":"/metadata/annotations/a","value":"1"}`, 500_000),
  "additions at a list's begin": list(`{"op":"add","path":"/metadata/finalizers/0","value":"a.b/c"}`, 640_000),
  "tests of all": `[${Array.from({ length: 5000 }, () => `{"op":"test","path":"/metadata/labels","value":{"a":1}}`)}]`,
  "tests of a large value that is equal": `[${Array.from({ length: 100 }, () => `{"op":"test","path":"/metadata/labels","value":${JSON.stringify(LARGEST.metadata.labels)}}`)}]`,
  "copies of copies": list(`{"op":"copy","from":"","path":"/a"}`, 300_000),
  "copies of a long text": list(
    `{"op":"copy","from":"/metadata/annotations/large","path":"/metadata/annotations/b"}`,
    600_000,
  ),
  "copies into a list": `[{"op":"add","path":"/l","value":[]},${list(`{"op":"copy","from":"","path":"/l/-"}`, 300_000).slice(1)}`,
  "moves to and fro": list(
    `{"op":"move","from":"/metadata","path":"/m"},{"op":"move","from":"/m","path":"/metadata"}`,
    500_000,
  ),
  "moves below one another": `[${Array.from({ length: 800 }, () => `{"op":"add","path":"/x","value":${nested('{"a":', "1}", 40).replace("1", "")}},{"op":"move","from":"/y","path":"/x/a/a/a"},{"op":"move","from":"/x","path":"/y"}`)}]`,
  "removals of what is not there": list(`{"op":"remove","path":"/zz"}`, 300_000),
  "an unknown op of a long name": `[{"op":"${fill("x", BODY)}","path":""}]`,
};

const objects: Readonly<Record<string, string>> = {
  "lists in lists": nested("[", "]", BODY / 2),
  "objects in objects": `${fill('{"a":', BODY / 2)}1${fill("}", BODY / 12)}`,
  "a list of nothing": list("0"),
  "a list of lists": list("[]"),
  "a list of objects": list("{}"),
  "as many objects as may be": `{"a":${list("{}", (58_000 * 3) / 2)}}`,
  "objects of different shapes": `[${numbered((at) => `{"k${at}":1}`, 300_000)}]`,
  "objects of two fields": `[${numbered((at) => `{"k${at}":1,"l${at}":2}`, 400_000)}]`,
  "fields of one name": `{${fill('"a":1,', BODY).slice(0, -1)}}`,
  "fields of many names": `{${numbered((at) => `"k${at}":1`)}}`,
  "unknown fields": `{"metadata":{${numbered((at) => `"k${at}":1`, 600_000)}}}`,
  "duplicates under a deep path": `${Array.from({ length: 50 }, () => `{"${"d".repeat(50)}":`).join("")}{${fill('"a":1,', 340_000).slice(0, -1)}}${"}".repeat(50)}`,
  "duplicates under long names": `{"${fill("k", BODY / 2)}":{${fill('"a":1,', 300_000).slice(0, -1)}}}`,
  "one long unknown field": `{"${fill("k", BODY)}":1}`,
  "escapes in a field": `{"${fill("\\u0041", BODY)}":1}`,
  "a text of escapes": `{"metadata":{"name":"${fill("\\u0000", BODY)}"}}`,
  "a text of quotation marks": `"${fill('\\"', BODY)}`,
  "a kind of lists": `{"kind":${nested("[", "]", 50)}}`,
  "a long kind": `{"kind":"${fill("k", BODY)}"}`,
  "a long number": `{"metadata":{"generation":${fill("9", BODY)}}}`,
  spaces: fill(" ", BODY),
  "a long name": `{"metadata":{"name":"${fill("a", BODY)}"}}`,
  "a name of dots": `{"metadata":{"name":"${fill("a.", BODY)}"}}`,
  finalizers: `{"metadata":{"name":"one","finalizers":[${numbered((at) => `"a.b/f${at}"`, 600_000)}]}}`,
  "finalizers of slashes": `{"metadata":{"name":"one","finalizers":["${fill("/", BODY)}"]}}`,
  labels: `{"metadata":{"name":"one","labels":{${numbered((at) => `"l${at}":"a"`, 700_000)}}}}`,
  "labels that are none": `{"metadata":{"name":"one","labels":{${numbered((at) => `"-${at}":"-"`, 700_000)}}}}`,
  annotations: `{"metadata":{"name":"one","annotations":{${numbered((at) => `"a${at}":"${"x".repeat(60)}"`)}}}}`,
  owners: `{"metadata":{"name":"one","ownerReferences":${list('{"apiVersion":"v1","kind":"Pod","name":"","uid":"u"}', 550_000)}}}`,
  "managed fields": `{"metadata":{"name":"one","managedFields":${list('{"fieldsV1":{"f:a":{}}}', 700_000)}}}`,
  conditions: `{"metadata":{"name":"one"},"status":{"conditions":${list('{"type":"A","status":"True"}', 800_000)}}}`,
};

const json = (type = "application/json") => ({ "content-type": type });
const by = (table: Readonly<Record<string, string>>, make: (text: string) => Omit<Hostile, "on">): Hostile[] =>
  Object.entries(table).map(([on, text]) => ({ ...make(text), on }));
const named = (kind: string, all: readonly Hostile[]): Hostile[] =>
  all.map((each) => ({ ...each, on: `${kind}: ${each.on}` }));

export const HOSTILE: readonly Hostile[] = [
  ...named(
    "GET a list",
    by(queries, (query) => ({ method: "GET", path: `${IN_TEAM}?${query}` })),
  ),
  ...named(
    "DELETE a list",
    by(queries, (query) => ({ method: "DELETE", path: `${IN_TEAM}?dryRun=All&${query}` })),
  ),
  ...named(
    "POST",
    by(queries, (query) => ({ method: "POST", path: `${IN_TEAM}?${query}`, headers: json(), body: "{}" })),
  ),
  ...Object.entries(headers).flatMap(([on, headers]) =>
    [ONE, IN_TEAM, "/openapi/v3", `${ONE}/dump`].map((path) => ({
      on: `GET ${path.split("/").at(-1)}: ${on}`,
      method: "GET",
      path,
      headers,
    })),
  ),
  ...named(
    "JSON patch",
    by(operations, (body) => ({ method: "PATCH", path: ONE, headers: json("application/json-patch+json"), body })),
  ),
  ...named(
    "JSON patch of an object",
    by(objects, (body) => ({ method: "PATCH", path: ONE, headers: json("application/json-patch+json"), body })),
  ),
  ...named(
    "merge patch",
    by(objects, (body) => ({ method: "PATCH", path: ONE, headers: json("application/merge-patch+json"), body })),
  ),
  ...named(
    "strategic merge patch",
    by(objects, (body) => ({
      method: "PATCH",
      path: ONE,
      headers: json("application/strategic-merge-patch+json"),
      body,
    })),
  ),
  ...named(
    "POST",
    by(objects, (body) => ({ method: "POST", path: `${IN_TEAM}?fieldValidation=Strict`, headers: json(), body })),
  ),
  ...named(
    "PUT",
    by(objects, (body) => ({ method: "PUT", path: ONE, headers: json(), body })),
  ),
  ...named(
    "PUT a status",
    by(objects, (body) => ({ method: "PUT", path: `${ONE}/status`, headers: json(), body })),
  ),
  ...named(
    "DELETE",
    by(objects, (body) => ({ method: "DELETE", path: `${ONE}?dryRun=All`, headers: json(), body })),
  ),
  { on: "a path", method: "GET", path: `/${fill("a/", HEAD)}` },
  { on: "a name", method: "GET", path: `${IN_TEAM}/${fill("a", HEAD)}` },
  { on: "a path of percent signs", method: "GET", path: `${IN_TEAM}/${fill("%2e", HEAD)}` },
];
