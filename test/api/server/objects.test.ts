/** The verbs, as HTTP: what is answered, and what is then stored. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Api, endpoint, IN_TEAM, NAMESPACE_UID, POD_UID } from "./api.ts";

const ONE = `${IN_TEAM}/a`;

test("POST fills in what is the server's, and only that", async () => {
  await using api = new Api();
  const { code, json } = await api.create({
    ...{ name: "a", labels: { app: "x" }, annotations: {}, managedFields: [{ manager: "kubectl" }] },
    ...{ uid: "mine", generation: 7, creationTimestamp: "2000-01-01T00:00:00Z", resourceVersion: "" },
  });
  assert.equal(code, 201);
  const { uid, creationTimestamp, resourceVersion, ...rest } = json.metadata;
  assert.deepEqual(rest, { name: "a", namespace: "team", labels: { app: "x" }, generation: 1 });
  assert.match(uid, /^[0-9a-f-]{36}$/);
  assert.match(creationTimestamp, /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.match(resourceVersion, /^\d+$/);
  assert.notEqual(creationTimestamp, "2000-01-01T00:00:00Z");
  assert.deepEqual(json["spec"], { poduid: POD_UID, namespaceuid: NAMESPACE_UID });
  assert.deepEqual((await api.ask("GET", ONE)).json, json);
});

const pods = [
  { on: "spec.podname", metadata: { name: "a" }, spec: { podname: "web-0" }, want: "201" },
  { on: "its own name", metadata: { name: "web-0" }, spec: {}, want: "201" },
  { on: "a pod that is not there", metadata: { name: "a" }, spec: { podname: "web-1" }, want: "404 NotFound" },
  { on: "a generated name", metadata: { generateName: "web-" }, spec: {}, want: "404 NotFound" },
];
for (const { on, metadata, spec, want } of pods) {
  test(`POST without poduid takes the live pod's, by ${on}`, async () => {
    await using api = new Api();
    const answer = await api.create(metadata, spec);
    assert.equal(answer.status, want);
    if (answer.code === 201) assert.equal(answer.json["spec"].poduid, POD_UID);
  });
}

const refused = [
  { on: "no name", metadata: {}, want: "422 Invalid" },
  { on: "a name that is none", metadata: { name: "A_b" }, want: "422 Invalid" },
  { on: "a name that is a path", metadata: { name: "../x" }, want: "422 Invalid" },
  { on: "another namespace", metadata: { name: "a", namespace: "other" }, want: "400 BadRequest" },
  { on: "a label that is none", metadata: { name: "a", labels: { "a b": "c" } }, want: "422 Invalid" },
  { on: "a finalizer of nobody's", metadata: { name: "a", finalizers: ["mine"] }, want: "422 Invalid" },
  { on: "an owner without a uid", metadata: { name: "a", ownerReferences: [{ kind: "Pod" }] }, want: "400 BadRequest" },
  { on: "a poduid that is a path", metadata: { name: "a" }, spec: { poduid: "../../other/uid" }, want: "422 Invalid" },
  {
    on: "a foreign namespace's uid",
    metadata: { name: "a" },
    spec: { poduid: "u", namespaceuid: "x" },
    want: "422 Invalid",
  },
  { on: "a number for a name", metadata: { name: "a" }, spec: { podname: 1 }, want: "400 BadRequest" },
  {
    on: "annotations beyond measure",
    metadata: { name: "a", annotations: { a: "x".repeat(300_000) } },
    want: "422 Invalid",
  },
] as { on: string; metadata: object; spec?: object; want: string }[];
for (const { on, metadata, spec, want } of refused) {
  test(`POST refuses ${on}`, async () => {
    await using api = new Api();
    assert.equal((await api.create(metadata, spec)).status, want);
    assert.deepEqual((await api.ask("GET", IN_TEAM)).json["items"], []);
  });
}

const bodies = [
  { on: "nothing", body: "", type: "application/json", want: "400 BadRequest" },
  { on: "no JSON", body: "{", type: "application/json", want: "400 BadRequest" },
  { on: "a list", body: "[]", type: "application/json", want: "400 BadRequest" },
  { on: "YAML", body: "a: b", type: "application/yaml", want: "415 UnsupportedMediaType" },
  { on: "protobuf", body: "k8s\0", type: "application/vnd.kubernetes.protobuf", want: "415 UnsupportedMediaType" },
  { on: "another kind", body: '{"apiVersion":"v1","kind":"Pod"}', type: "application/json", want: "400 BadRequest" },
  {
    on: "more than 3 MiB",
    body: `${" ".repeat(3 << 20)}{}`,
    type: "application/json",
    want: "413 RequestEntityTooLarge",
  },
];
for (const { on, body, type, want } of bodies) {
  test(`POST answers ${want} to ${on}`, async () => {
    await using api = new Api();
    assert.equal((await api.ask("POST", IN_TEAM, { body, type })).status, want);
  });
}

test("POST says of unknown fields what was asked for", async () => {
  await using api = new Api();
  const body = { ...endpoint({ name: "a", colour: "red" }), more: 1 };
  const strict = await api.ask("POST", `${IN_TEAM}?fieldValidation=Strict`, { body });
  assert.equal(strict.status, "400 BadRequest");
  assert.match(strict.json["message"], /strict decoding error: unknown field "metadata.colour", unknown field "more"/);
  const warned = await api.ask("POST", IN_TEAM, { body });
  assert.equal(warned.code, 201);
  assert.deepEqual([warned.headers["warning"]].flat(), [
    '299 - "unknown field \\"metadata.colour\\""',
    '299 - "unknown field \\"more\\""',
  ]);
  assert.equal(warned.json.metadata["colour"], undefined);
  const ignored = await api.ask("POST", `${IN_TEAM}?fieldValidation=Ignore`, {
    body: { ...body, metadata: { name: "b" } },
  });
  assert.deepEqual([ignored.code, ignored.headers["warning"]], [201, undefined]);
  assert.equal((await api.ask("POST", `${IN_TEAM}?fieldValidation=Maybe`, { body })).status, "422 Invalid");
});

test("POST says of fields that stand twice, and takes the last", async () => {
  await using api = new Api();
  const body = `{"metadata":{"name":"b","labels":{"a":"x","b":"y","\\u0061":"z"},"name":"a"},"spec":{"poduid":"{\\"a\\":1,\\"a\\":2}","poduid":"u"}}`;
  const strict = await api.ask("POST", `${IN_TEAM}?fieldValidation=Strict`, { body });
  assert.equal(strict.status, "400 BadRequest");
  const fields = ["metadata.labels.a", "metadata.name", "spec.poduid"].map((path) => `duplicate field "${path}"`);
  assert.equal(strict.json["message"], `strict decoding error: ${fields.join(", ")}`);
  const { json } = await api.ask("POST", IN_TEAM, { body });
  assert.deepEqual(
    [json.metadata["name"], json.metadata["labels"], json["spec"].poduid],
    ["a", { a: "z", b: "y" }, "u"],
  );
});

test("POST with generateName makes a name that is not there yet", async () => {
  await using api = new Api();
  const names = await Promise.all(
    Array.from({ length: 20 }, async () => (await api.create({ generateName: "core-" })).json.metadata["name"]),
  );
  assert.equal(new Set(names).size, 20);
  for (const name of names) assert.match(name, /^core-[b-z0-9]{5}$/);
});

test("POST of what is there is refused; a dry run writes nothing", async () => {
  await using api = new Api();
  const trial = await api.create({ name: "a" }, undefined, "?dryRun=All");
  assert.equal(trial.code, 201);
  assert.equal((await api.ask("GET", ONE)).status, "404 NotFound");
  await api.create({ name: "a" });
  assert.equal((await api.create({ name: "a" })).status, "409 AlreadyExists");
  assert.equal((await api.create({ name: "a" }, undefined, "?dryRun=All")).status, "409 AlreadyExists");
  assert.equal((await api.create({ name: "b" }, undefined, "?dryRun=Some")).status, "422 Invalid");
});

test("PUT counts changes of spec alone, and writes nothing when nothing changes", async () => {
  await using api = new Api();
  const first = (await api.create({ name: "a" })).json;
  const same = await api.ask("PUT", ONE, { body: first });
  assert.deepEqual(same.json, first);
  const labelled = await api.ask("PUT", ONE, {
    body: { ...first, metadata: { ...first.metadata, labels: { a: "b" } } },
  });
  assert.deepEqual([labelled.json.metadata["generation"], labelled.json.metadata["labels"]], [1, { a: "b" }]);
  const named = await api.ask("PUT", ONE, { body: endpoint({ name: "a" }, { podname: "web-9" }) });
  assert.equal(named.json.metadata["generation"], 2);
  assert.deepEqual(named.json["spec"], { podname: "web-9", poduid: POD_UID, namespaceuid: NAMESPACE_UID });
  assert.equal(named.json.metadata["uid"], first.metadata["uid"]);
});

const puts = [
  { on: "a version that is not the last", change: { resourceVersion: "1" }, want: "409 Conflict" },
  { on: "another object's uid", change: { uid: "other" }, want: "409 Conflict" },
  { on: "another name", change: { name: "b" }, want: "400 BadRequest" },
  { on: "another namespace", change: { namespace: "b" }, want: "400 BadRequest" },
];
for (const { on, change, want } of puts) {
  test(`PUT refuses ${on}`, async () => {
    await using api = new Api();
    await api.create({ name: "b" });
    const first = (await api.create({ name: "a" })).json;
    const body = { ...first, metadata: { ...first.metadata, ...change } };
    assert.equal((await api.ask("PUT", ONE, { body })).status, want);
    assert.deepEqual((await api.ask("GET", ONE)).json, first);
  });
}

test("poduid and namespaceuid never change, whoever writes how", async () => {
  await using api = new Api();
  const first = (await api.create({ name: "a" })).json;
  for (const field of ["poduid", "namespaceuid"]) {
    const spec = { ...first["spec"], [field]: "other" };
    assert.equal((await api.ask("PUT", ONE, { body: { ...first, spec } })).status, "422 Invalid");
    assert.equal((await api.ask("PATCH", ONE, { body: { spec: { [field]: "other" } } })).status, "422 Invalid");
    const patch = [{ op: "replace", path: `/spec/${field}`, value: "other" }];
    const type = "application/json-patch+json";
    assert.equal((await api.ask("PATCH", ONE, { body: patch, type })).status, "422 Invalid");
    assert.equal((await api.ask("PATCH", ONE, { body: { spec: { [field]: null } } })).code, 200); // left as it is
  }
  assert.deepEqual((await api.ask("GET", ONE)).json, first);
});

test("status and spec are written apart", async () => {
  await using api = new Api();
  await api.create({ name: "a" });
  const status = { message: "all there", conditions: [{ type: "Ready", status: "True" }] };
  const body = { metadata: { labels: { a: "b" } }, spec: { podname: "other" }, status };
  const told = await api.ask("PATCH", `${ONE}/status`, { body });
  assert.deepEqual(
    [told.json["status"], told.json.metadata["labels"], told.json["spec"].podname],
    [status, undefined, undefined],
  );
  assert.equal(told.json.metadata["generation"], 1);
  const changed = await api.ask("PUT", ONE, { body: endpoint({ name: "a" }, { podname: "web-1" }) });
  assert.deepEqual(changed.json["status"], status);
  const put = await api.ask("PUT", `${ONE}/status`, { body: { ...changed.json, status: { message: "gone" } } });
  assert.deepEqual(put.json["status"], { message: "gone" });
});

const patches = [
  {
    on: "merge",
    type: "application/merge-patch+json",
    body: { metadata: { labels: { a: null, b: "c" } } },
    want: "200",
  },
  {
    on: "JSON",
    type: "application/json-patch+json",
    body: [
      { op: "test", path: "/metadata/labels/a", value: "b" },
      { op: "move", from: "/metadata/labels/a", path: "/metadata/labels/b" },
      { op: "replace", path: "/metadata/labels/b", value: "c" },
    ],
    want: "200",
  },
  {
    on: "JSON whose test fails",
    type: "application/json-patch+json",
    body: [{ op: "test", path: "/metadata/name", value: "b" }],
    want: "422 Invalid",
  },
  { on: "strategic merge", type: "application/strategic-merge-patch+json", body: {}, want: "415 UnsupportedMediaType" },
  { on: "server-side apply", type: "application/apply-patch+yaml", body: {}, want: "415 UnsupportedMediaType" },
  {
    on: "a version that is not the last",
    type: "application/merge-patch+json",
    body: { metadata: { resourceVersion: "1" } },
    want: "409 Conflict",
  },
];
for (const { on, type, body, want } of patches) {
  test(`PATCH (${on}) answers ${want}`, async () => {
    await using api = new Api();
    await api.create({ name: "b" });
    await api.create({ name: "a", labels: { a: "b" } });
    const answer = await api.ask("PATCH", ONE, { body, type });
    assert.equal(answer.status, want);
    if (answer.code === 200) assert.deepEqual(answer.json.metadata["labels"], { b: "c" });
  });
}

test("PATCHes that race are all applied", async () => {
  await using api = new Api();
  await api.create({ name: "a" });
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      api.ask("PATCH", ONE, { body: { metadata: { labels: { [`l${index}`]: "x" } } } }),
    ),
  );
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set(["200"]));
  assert.equal(Object.keys((await api.ask("GET", ONE)).json.metadata["labels"]).length, 8);
});

test("DELETE minds uid and version, finalizers and trials", async () => {
  await using api = new Api();
  const { metadata } = (await api.create({ name: "a" })).json;
  for (const preconditions of [{ uid: "other" }, { resourceVersion: "1" }])
    assert.equal((await api.ask("DELETE", ONE, { body: { preconditions } })).status, "409 Conflict");
  assert.equal((await api.ask("DELETE", `${ONE}?dryRun=All`)).code, 200);
  assert.equal((await api.ask("DELETE", ONE, { body: { propagationPolicy: "Sideways" } })).status, "400 BadRequest");
  const { uid } = metadata;
  const gone = await api.ask("DELETE", ONE, { body: { preconditions: { uid }, propagationPolicy: "Background" } });
  assert.deepEqual(gone.json["details"], { name: "a", group: "coredump.fujitsu.com", kind: "coredumpendpoints", uid });
  assert.equal((await api.ask("DELETE", ONE)).status, "404 NotFound");
});

test("an object with finalizers goes when the last of them does", async () => {
  await using api = new Api();
  await api.create({ name: "a", finalizers: ["example.com/b", "example.com/a"] });
  const dying = (await api.ask("DELETE", ONE)).json;
  assert.deepEqual([dying.metadata["deletionGracePeriodSeconds"], dying.metadata["generation"]], [0, 2]);
  assert.match(dying.metadata["deletionTimestamp"], /Z$/);
  assert.deepEqual((await api.ask("DELETE", ONE)).json, dying); // once is enough
  const late = await api.ask("PATCH", ONE, {
    body: { metadata: { finalizers: ["example.com/b", "example.com/late"] } },
  });
  assert.equal(late.status, "422 Invalid");
  const one = await api.ask("PATCH", ONE, {
    body: { metadata: { finalizers: ["example.com/b"], deletionTimestamp: null } },
  });
  assert.equal(one.json.metadata["deletionTimestamp"], dying.metadata["deletionTimestamp"]);
  assert.equal((await api.ask("PATCH", ONE, { body: { metadata: { finalizers: null } } })).code, 200);
  assert.equal((await api.ask("GET", ONE)).status, "404 NotFound");
});

for (const [policy, finalizer] of [
  ["Foreground", "foregroundDeletion"],
  ["Orphan", "orphan"],
]) {
  test(`DELETE with ${policy} leaves the rest to Kubernetes' garbage collector`, async () => {
    await using api = new Api();
    await api.create({ name: "a" });
    const { metadata } = (await api.ask("DELETE", ONE, { body: { propagationPolicy: policy } })).json;
    assert.deepEqual(metadata["finalizers"], [finalizer]);
  });
}

test("DELETE of a collection takes what is selected", async () => {
  await using api = new Api();
  for (const [name, app] of [
    ["a", "x"],
    ["b", "y"],
    ["c", "x"],
  ])
    await api.create({ name, labels: { app } });
  const { json } = await api.ask("DELETE", `${IN_TEAM}?labelSelector=app%3Dx`);
  assert.deepEqual(
    json["items"].map((each: { metadata: { name: string } }) => each.metadata.name),
    ["a", "c"],
  );
  const left = (await api.ask("GET", IN_TEAM)).json["items"];
  assert.deepEqual(
    left.map((each: { metadata: { name: string } }) => each.metadata.name),
    ["b"],
  );
});

test("a namespace that is gone takes nothing", async () => {
  await using api = new Api();
  const path = IN_TEAM.replace("team", "gone");
  assert.equal((await api.ask("POST", path, { body: endpoint({ name: "a" }) })).status, "404 NotFound");
});

const paths = [
  "/apis/coredump.fujitsu.com/v1alpha1/nothing",
  "/api",
  `${ONE}/log`,
  `/apis/coredump.fujitsu.com/v2`,
  "/%zz",
];
for (const path of paths)
  test(`GET ${path} is answered by a Status`, async () => {
    await using api = new Api();
    assert.match((await api.ask("GET", path)).status, /^(404 NotFound|400 BadRequest)$/);
  });

test("a method that there is not is 405", async () => {
  await using api = new Api();
  assert.equal((await api.ask("POST", ONE, { body: {} })).status, "405 MethodNotAllowed");
});

test("no namespace and no name leads to another's object, however it is written", async () => {
  await using api = new Api();
  const secret = (await api.ask("POST", IN_TEAM.replace("team", "other"), { body: endpoint({ name: "secret" }) })).json;
  assert.equal(secret.metadata["namespace"], "other");
  const piece = fc.constantFrom(
    "..",
    "%2e%2e",
    "other",
    "secret",
    "/",
    "%2F",
    "%00",
    "%c0%af",
    "\\",
    ".",
    "*",
    "team",
    "a",
    "é",
    "%",
    "?",
    "#",
    "_",
  );
  const wild = fc.oneof(
    fc.array(piece, { maxLength: 6 }).map((all) => all.join("")),
    fc.string({ maxLength: 20 }),
  );
  await fc.assert(
    fc.asyncProperty(wild, fc.constantFrom("GET", "DELETE", "PUT", "PATCH"), async (name, method) => {
      for (const url of [`${IN_TEAM}/${name}`, `${IN_TEAM}/${encodeURIComponent(name.toWellFormed())}`]) {
        if (new URL(url, "http://x").pathname.includes("/namespaces/other/")) continue; // then it is asked for openly
        const { text } = await api.ask(method, url, method === "GET" ? {} : { body: {} });
        assert.ok(!text.includes(secret.metadata["uid"]), `${method} ${url}: ${text}`);
      }
    }),
    { numRuns: 200 },
  );
  const path = `${IN_TEAM.replace("team", "other")}/secret`;
  assert.deepEqual((await api.ask("GET", path)).json, secret);
});
