/** Lists, pages, selectors, tables and watches, as HTTP. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Resource } from "../../support/kubectl.ts";
import { API, Api, endpoint, IN_TEAM, POD_UID } from "./api.ts";
import { Watch } from "./watch.ts";

const ALL = `/apis/${API}/coredumpendpoints`;
const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
const METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

const namesIn = (list: Resource): string[] => list["items"].map(({ metadata }: Resource) => metadata["name"]);

async function filled(...names: string[]): Promise<Api> {
  const api = new Api();
  for (const name of names) await api.create({ name });
  return api;
}

test("a list is of a namespace, or of all", async () => {
  await using api = await filled("b", "a");
  await api.ask("POST", IN_TEAM.replace("team", "other"), { body: endpoint({ name: "c" }) });
  const { json } = await api.ask("GET", IN_TEAM);
  assert.deepEqual([json.kind, json.apiVersion, namesIn(json)], ["CoredumpEndpointList", API, ["a", "b"]]);
  for (const item of json["items"])
    assert.deepEqual(item, (await api.ask("GET", `${IN_TEAM}/${item.metadata.name}`)).json);
  assert.deepEqual(namesIn((await api.ask("GET", ALL)).json), ["c", "a", "b"]);
});

test("pages are of one moment, whatever happens in between", async () => {
  await using api = await filled("a", "b", "c", "d", "e");
  const first = (await api.ask("GET", `${IN_TEAM}?limit=2`)).json;
  assert.deepEqual([namesIn(first), first.metadata["remainingItemCount"]], [["a", "b"], 3]);
  await api.ask("DELETE", `${IN_TEAM}/d`);
  await api.create({ name: "bb" });
  const [version, token] = [first.metadata["resourceVersion"], first.metadata["continue"]];
  const second = (await api.ask("GET", `${IN_TEAM}?limit=2&continue=${token}`)).json;
  assert.deepEqual([namesIn(second), second.metadata["resourceVersion"]], [["c", "d"], version]);
  const last = (await api.ask("GET", `${IN_TEAM}?limit=2&continue=${second.metadata["continue"]}`)).json;
  assert.deepEqual([namesIn(last), last.metadata["continue"]], [["e"], undefined]);
});

test("any limit gives all objects once, in order; with a selector too", async () => {
  const names = Array.from({ length: 30 }, (_, index) => `e-${String(index).padStart(2, "0")}`);
  await using api = new Api();
  for (const [index, name] of names.entries()) await api.create({ name, labels: { third: String(index % 3 === 0) } });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 40 }), fc.boolean(), async (limit, isSelecting) => {
      const seen: string[] = [];
      const selector = isSelecting ? "&labelSelector=third%3Dtrue" : "";
      for (let token = ""; ; ) {
        const { json } = await api.ask("GET", `${IN_TEAM}?limit=${limit}&continue=${token}${selector}`);
        const page = namesIn(json);
        assert.ok(page.length <= limit);
        seen.push(...page);
        token = json.metadata["continue"] ?? "";
        if (token === "") break;
      }
      assert.deepEqual(seen, isSelecting ? names.filter((_, index) => index % 3 === 0) : names);
    }),
    { numRuns: 30 },
  );
});

test("a long list is sent in pieces, and is whole in every form", async () => {
  await using api = new Api();
  const { json: first } = await api.create({ name: "e-0000" });
  const { resourceVersion: _, ...metadata } = first.metadata;
  const names = Array.from({ length: 1200 }, (_, index) => `e-${String(index).padStart(4, "0")}`);
  for (const name of names.slice(1))
    await api.storage.create(
      `/registry/fujitsu.com/coredumpendpoints/team/${name}`,
      JSON.stringify({
        ...first,
        metadata: { ...metadata, name, labels: { even: String(Number(name.slice(2)) % 2 === 0) } },
      }),
    );
  assert.deepEqual(namesIn((await api.ask("GET", IN_TEAM)).json), names);
  assert.deepEqual(namesIn((await api.ask("GET", IN_TEAM, { headers: { accept: METADATA } })).json), names);
  const table = (await api.ask("GET", IN_TEAM, { headers: { accept: TABLE } })).json;
  assert.deepEqual(
    table["rows"].map(({ cells }: { cells: string[] }) => cells[0]),
    names,
  );
  const even = (await api.ask("GET", `${IN_TEAM}?labelSelector=even%3Dfalse`)).json;
  assert.equal(namesIn(even).length, 600);
  assert.deepEqual(namesIn((await api.ask("GET", `${IN_TEAM}?labelSelector=none`)).json), []);
});

const versions = [
  { query: "resourceVersion=0", want: "200" },
  { query: "resourceVersion=1&resourceVersionMatch=NotOlderThan", want: "200" },
  { query: "resourceVersion=999999", want: "504 Timeout" }, // a restored cluster: the client must not wait for ever
  { query: "resourceVersion=999999&resourceVersionMatch=Exact", want: "410 Expired" },
  { query: "resourceVersion=0&resourceVersionMatch=Exact", want: "400 BadRequest" },
  { query: "resourceVersionMatch=Exact", want: "400 BadRequest" },
  { query: "resourceVersion=1&resourceVersionMatch=Newest", want: "400 BadRequest" },
  { query: "resourceVersion=abc", want: "400 BadRequest" },
  { query: "continue=abc", want: "400 BadRequest" },
  { query: `continue=${Buffer.from('{"rv":"1","start":"\\u0000"}').toString("base64url")}`, want: "400 BadRequest" },
  { query: "limit=-1", want: "400 BadRequest" },
  { query: "labelSelector=a%3D%3D%3Db", want: "400 BadRequest" },
  { query: "fieldSelector=spec.poduid%3Dx", want: "400 BadRequest" },
  { query: "watch=true&resourceVersionMatch=Exact", want: "400 BadRequest" },
  { query: "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan", want: "400 BadRequest" },
];
for (const { query, want } of versions) {
  test(`GET ?${query} answers ${want}`, async () => {
    await using api = await filled("a");
    assert.equal((await api.ask("GET", `${IN_TEAM}?${query}`)).status, want);
  });
}

test("a list as of an earlier version is what was there then", async () => {
  await using api = await filled("a");
  const then = (await api.ask("GET", IN_TEAM)).json;
  await api.ask("DELETE", `${IN_TEAM}/a`);
  await api.create({ name: "b" });
  const version = then.metadata["resourceVersion"];
  assert.deepEqual(
    (await api.ask("GET", `${IN_TEAM}?resourceVersion=${version}&resourceVersionMatch=Exact`)).json,
    then,
  );
});

test("a made-up token leads to nothing outside the list that is asked for", async () => {
  await using api = await filled("a");
  await api.ask("POST", IN_TEAM.replace("team", "other"), { body: endpoint({ name: "secret" }) });
  for (const start of ["../other/", "/registry/fujitsu.com/coredumpendpoints/other/", "", "!"]) {
    const token = Buffer.from(JSON.stringify({ rv: "3", start })).toString("base64url");
    assert.ok(!(await api.ask("GET", `${IN_TEAM}?continue=${token}`)).text.includes("secret"));
  }
});

test("a Table has the columns that kubectl prints, and of each object as much as was asked for", async () => {
  await using api = await filled("a");
  const { json } = await api.ask("GET", IN_TEAM, { headers: { accept: TABLE } });
  assert.equal(`${json.apiVersion} ${json.kind}`, "meta.k8s.io/v1 Table");
  assert.deepEqual(
    json["columnDefinitions"].map(({ name, priority }: { name: string; priority: number }) => `${name} ${priority}`),
    ["Name 0", "Pod 0", "Pod UID 0", "Age 0", "Message 1"],
  );
  const [{ cells, object }] = json["rows"];
  assert.deepEqual([cells.toSpliced(3, 1), object.kind], [["a", "a", POD_UID, ""], "PartialObjectMetadata"]);
  assert.match(cells[3], /^\d+s$/);
  for (const [include, kind] of [
    ["None", undefined],
    ["Object", "CoredumpEndpoint"],
  ]) {
    const { json } = await api.ask("GET", `${IN_TEAM}/a?includeObject=${include}`, { headers: { accept: TABLE } });
    assert.equal(json["rows"][0].object?.kind, kind);
  }
});

test("metadata alone is what controllers ask for", async () => {
  await using api = await filled("a");
  const { json } = await api.ask("GET", IN_TEAM, { headers: { accept: METADATA } });
  assert.deepEqual(
    [json.kind, Object.keys(json["items"][0])],
    ["PartialObjectMetadataList", ["kind", "apiVersion", "metadata"]],
  );
});

const accepts = [
  { accept: "application/vnd.kubernetes.protobuf", want: "406 NotAcceptable" },
  {
    accept: "application/vnd.kubernetes.protobuf;as=Table, application/json;as=Table;g=meta.k8s.io;v=v1beta1",
    want: "200",
  },
  { accept: "application/yaml;q=0.1, application/json;as=Nothing;g=meta.k8s.io;v=v1", want: "406 NotAcceptable" },
  { accept: "application/json;q=0", want: "406 NotAcceptable" },
  { accept: "text/html, */*;q=0.1", want: "200" },
];
for (const { accept, want } of accepts) {
  test(`Accept: ${accept} is answered ${want}`, async () => {
    await using api = await filled("a");
    assert.equal((await api.ask("GET", IN_TEAM, { headers: { accept } })).status, want);
  });
}

test("a watch without a version tells what is there, then what changes", async () => {
  await using api = await filled("a");
  await using watch = await Watch.of(api, IN_TEAM);
  assert.deepEqual(await watch.next(), ["ADDED", "a"]);
  await api.create({ name: "b" });
  await api.ask("PATCH", `${IN_TEAM}/a`, { body: { metadata: { labels: { a: "b" } } } });
  await api.ask("DELETE", `${IN_TEAM}/b`);
  assert.deepEqual(
    [await watch.next(), await watch.next(), await watch.next()],
    [
      ["ADDED", "b"],
      ["MODIFIED", "a"],
      ["DELETED", "b"],
    ],
  );
});

test("a watch goes on from a list without missing or repeating anything", async () => {
  await using api = await filled("a");
  const version = (await api.ask("GET", IN_TEAM)).json.metadata["resourceVersion"];
  await api.create({ name: "b" });
  await using watch = await Watch.of(api, `${IN_TEAM}?resourceVersion=${version}`);
  assert.deepEqual(await watch.next(), ["ADDED", "b"]);
  await api.create({ name: "c" });
  assert.deepEqual(await watch.next(), ["ADDED", "c"]);
});

test("a watch by labels sees objects come and go as their labels change", async () => {
  await using api = await filled("a", "b");
  await using watch = await Watch.of(api, `${IN_TEAM}?labelSelector=on%3Dyes`);
  const label = (name: string, on: string) =>
    api.ask("PATCH", `${IN_TEAM}/${name}`, { body: { metadata: { labels: { on } } } });
  await label("b", "no");
  for (const on of ["yes", "yes-not", "yes"]) await label("a", on);
  await api.ask("DELETE", `${IN_TEAM}/a`);
  const seen = [await watch.next(), await watch.next(), await watch.next(), await watch.next()];
  assert.deepEqual(seen, [
    ["ADDED", "a"],
    ["DELETED", "a"],
    ["ADDED", "a"],
    ["DELETED", "a"],
  ]);
});

test("a watch of one name is told of no other", async () => {
  await using api = await filled("a", "b");
  await using watch = await Watch.of(api, `${IN_TEAM}?fieldSelector=metadata.name%3Db&labelSelector=%21x`);
  assert.deepEqual(await watch.next(), ["ADDED", "b"]);
  await api.ask("PATCH", `${IN_TEAM}/a`, { body: { metadata: { labels: { x: "" } } } });
  await api.ask("DELETE", `${IN_TEAM}/a`);
  await api.ask("DELETE", `${IN_TEAM}/b`);
  assert.deepEqual(await watch.next(), ["DELETED", "b"]);
});

test("sendInitialEvents ends what is there by a bookmark", async () => {
  await using api = await filled("a", "b");
  const query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
  await using watch = await Watch.of(api, `${IN_TEAM}?${query}`);
  assert.deepEqual(
    [await watch.next(), await watch.next()],
    [
      ["ADDED", "a"],
      ["ADDED", "b"],
    ],
  );
  const { type, object } = await watch.event();
  assert.deepEqual([type, object.metadata["annotations"]], ["BOOKMARK", { "k8s.io/initial-events-end": "true" }]);
});

test("without initial events a watch tells only what changes from now on", async () => {
  await using api = await filled("a");
  await using watch = await Watch.of(api, `${IN_TEAM}?sendInitialEvents=false&resourceVersionMatch=NotOlderThan`);
  await api.ask("DELETE", `${IN_TEAM}/a`);
  assert.deepEqual(await watch.next(), ["DELETED", "a"]);
});

test("a watch as Table has its columns once", async () => {
  await using api = await filled("a", "b");
  await using watch = await Watch.of(api, IN_TEAM, { accept: TABLE });
  const [first, second] = [await watch.event(), await watch.event()];
  assert.deepEqual([first.object["columnDefinitions"].length, second.object["columnDefinitions"]], [5, null]);
  assert.equal(second.object["rows"][0].cells[0], "b");
});

test("a watch from a version that nobody knows ends with 410", async () => {
  await using api = await filled("a");
  await using watch = await Watch.of(api, `${IN_TEAM}?resourceVersion=999999`);
  const { type, object } = await watch.event();
  assert.deepEqual([type, object["code"], object["reason"]], ["ERROR", 410, "Expired"]);
  assert.equal(await watch.ended(), true);
});

test("a watch ends after timeoutSeconds", async () => {
  await using api = await filled();
  await using watch = await Watch.of(api, `${IN_TEAM}?timeoutSeconds=1`);
  assert.equal(await watch.ended(), true);
});
