import assert from "node:assert/strict";
import { test } from "node:test";
import { DumpError } from "../../src/domain/failures.ts";
import { type Follower, follow } from "../../src/kube/informer.ts";
import { Mirror } from "../../src/kube/mirror.ts";
import type { KubeObject } from "../../src/kube/objects.ts";
import { backoffMs } from "../../src/system/backoff.ts";
import { eventually } from "../support/eventually.ts";
import { type Answer, scriptedHttp } from "./scripted-http.ts";

const KIND = { resource: "coredumps", path: "/coredumps" };
const object = (name: string, resourceVersion: string) => ({ metadata: { name, uid: name, resourceVersion } });
const event = (type: string, name: string, version: string): string =>
  `${JSON.stringify({ type, object: object(name, version) })}\n`;
const list = (version: string, ...items: object[]) => ({ metadata: { resourceVersion: version }, items });
const GONE = `${JSON.stringify({ type: "ERROR", object: { kind: "Status", code: 410, message: "too old" } })}\n`;

/**
 * Follows until the answers are used up. @returns what was told, what was asked, what went wrong
 * @param now what the server's version is when it is asked for no more than that, behind an outage
 */
async function followed(answers: readonly Answer[], now = "1000") {
  const told: string[] = [];
  const problems: unknown[] = [];
  const pauses: number[] = [];
  const stop = new AbortController();
  const follower: Follower<KubeObject> = {
    listed: ({ metadata }) => void told.push(`listed ${metadata.name}`),
    listEnded: () => void told.push("list ended"),
    changed: ({ metadata }) => void told.push(`changed ${metadata.name} ${metadata.resourceVersion}`),
    deleted: ({ metadata }) => void told.push(`deleted ${metadata.name}`),
  };
  const rest = [...answers];
  const http = scriptedHttp(({ query }) => {
    if (query?.["limit"]) return list(now);
    if (rest.length === 0) stop.abort();
    return rest.shift() ?? new Error("stopped");
  });
  await follow(
    http,
    KIND,
    follower,
    (problem) => problems.push(problem),
    stop.signal,
    (failures) => {
      pauses.push(failures);
      return 1;
    },
  );
  const asked = http.asked
    .filter(({ query }) => !query?.["limit"])
    .slice(0, answers.length)
    .map(({ verb, query }) => `${verb} ${query?.["resourceVersion"] ?? ""}`.trim());
  return { told, asked, problems, pauses };
}

test("follow() lists once, then watches from there, and goes on from the last version seen, bookmarks too", async () => {
  const { told, asked } = await followed([
    list("5", object("a", "3")),
    event("ADDED", "b", "6") + event("BOOKMARK", "", "9"),
    event("DELETED", "a", "10"),
    "",
  ]);
  assert.deepEqual(told, ["listed a", "list ended", "changed b 6", "deleted a"]);
  assert.deepEqual(asked, ["list", "watch 5", "watch 9", "watch 10"]);
});

for (const [what, gone] of Object.entries({
  "an event says that its version is gone": GONE,
  "the answer does": new DumpError("API_GONE", "too old"),
})) {
  test(`follow() lists again when ${what}, without a complaint`, async () => {
    const { asked, problems } = await followed([list("5"), gone, list("20"), ""]);
    assert.deepEqual(asked, ["list", "watch 5", "list", "watch 20"]);
    assert.deepEqual(
      problems.filter((problem) => problem !== undefined),
      [],
    );
  });
}

test("follow() goes on from where it was when the server was away, and says so meanwhile", async () => {
  const away = new DumpError("API_UNAVAILABLE", "away");
  const { asked, problems } = await followed([away, list("5"), event("ADDED", "b", "6"), away, ""]);
  assert.deepEqual(asked, ["list", "list", "watch 5", "watch 6", "watch 6"]);
  assert.deepEqual(problems, [away, undefined, away, undefined]);
});

test("follow() lists again when what answers behind an outage is older than what it has seen", async () => {
  const away = new DumpError("API_UNAVAILABLE", "away");
  const { asked, told } = await followed([list("500", object("a", "3")), away, list("20"), ""], "20");
  assert.deepEqual(asked, ["list", "watch 500", "list", "watch 20"]);
  assert.deepEqual(told, ["listed a", "list ended", "list ended"]);
});

test("follow() lists now and then where watching is not granted, and goes on watching once it is", async () => {
  const denied = new DumpError("API_DENIED", "no watch");
  const answers = [list("5"), denied, list("7", object("a", "7")), denied, list("9"), ""];
  const { asked, told, problems, pauses } = await followed(answers);
  assert.deepEqual(asked, ["list", "watch 5", "list", "watch 7", "list", "watch 9"]);
  assert.deepEqual(told, ["list ended", "listed a", "list ended", "list ended"]);
  assert.deepEqual(problems, [denied, denied, undefined]);
  assert.ok(
    pauses.every((failures) => backoffMs(failures) >= 15_000),
    String(pauses),
  );
});

test("follow() lists now and then when watches end without a word, and not while lists fail as well", async () => {
  const away = new DumpError("API_UNAVAILABLE", "away");
  const silent = await followed([list("5"), ...Array(9).fill(""), list("8"), ""]);
  assert.deepEqual(silent.asked.slice(-3), ["watch 5", "list", "watch 8"]);
  const outage = await followed([list("5"), ...Array(14).fill(away), event("ADDED", "b", "6")]);
  assert.deepEqual(outage.told, ["list ended", "changed b 6"]);
  assert.deepEqual(outage.asked.slice(-3), ["watch 5", "list", "watch 5"]);
});

test("follow() starts a list that broke off from its beginning, and a mirror forgets what that one had", async () => {
  const broken = (async function* () {
    yield Buffer.from(JSON.stringify(list("5", object("a", "3"), object("b", "4"))).slice(0, -20));
    throw new DumpError("API_UNAVAILABLE", "reset");
  })();
  const stop = new AbortController();
  const mirror = new Mirror(
    ({ metadata: { name, uid, resourceVersion } }: KubeObject) => ({ name, namespace: "", uid, resourceVersion }),
    () => undefined,
  );
  const answers: Answer[] = [list("2", object("a", "1"), object("b", "2")), GONE, broken, list("6", object("b", "4"))];
  const http = scriptedHttp(() => {
    if (answers.length === 0) stop.abort();
    return answers.shift() ?? new Error("stopped");
  });
  await follow(
    http,
    KIND,
    mirror,
    () => undefined,
    stop.signal,
    () => 1,
  );
  assert.deepEqual(
    mirror.in("").map(({ name }) => name),
    ["b"],
  );
});

test("follow() takes no event that a broken connection cut short", async () => {
  const broken = (async function* () {
    yield Buffer.from(event("ADDED", "b", "6"));
    yield Buffer.from(event("ADDED", "c", "7").slice(0, 20));
    throw new DumpError("API_UNAVAILABLE", "reset");
  })();
  const { told, asked } = await followed([list("5"), broken, event("ADDED", "c", "7")]);
  assert.deepEqual(told, ["list ended", "changed b 6", "changed c 7"]);
  assert.deepEqual(asked, ["list", "watch 5", "watch 6"]);
});

test("follow() asks for metadata alone where that is enough", async () => {
  const stop = new AbortController();
  const http = scriptedHttp(({ verb }) => {
    if (verb === "watch") stop.abort();
    return verb === "list" ? list("5") : "";
  });
  const nobody = { listed() {}, listEnded() {}, changed() {}, deleted() {} };
  await follow(http, { ...KIND, metadataOnly: true }, nobody, () => undefined, stop.signal);
  await eventually(() => assert.equal(http.asked.length, 2));
  assert.deepEqual(
    http.asked.map(({ accept }) => accept?.match(/as=(\w+)/)?.[1]),
    ["PartialObjectMetadataList", "PartialObjectMetadata"],
  );
});
