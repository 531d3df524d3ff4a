/** Downloads as tenants make them: through kube-apiserver, with their own rights, out of both kinds of store. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DirectorySink } from "../../../src/store/directory/sink.ts";
import type { DumpSink } from "../../../src/store/ports/sink.ts";
import { API, ApiServer } from "../../support/apiserver.ts";
import { type Answered, type Asked, ask } from "../../support/ask.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { applyCrds, statusPatch } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import type { User } from "../../support/kubectl.ts";
import { startS3 } from "../../support/s3.ts";
import { s3Sink } from "../../support/s3-sink.ts";
import { needs } from "../../support/set-up.ts";
import { type StoredDump, storedDump } from "../../support/stored-dump.ts";
import { tempDir } from "../../support/tmp.ts";

const skip = needs("root", "cluster");
const KIND = "coredumps.v1.coredump.fujitsu.com";
const MIB = 1 << 20;
/** As many seconds as kube-apiserver gives a request: a tenth of what it gives by default. */
const TIMEOUT_S = 6;
/** All of LARGE takes twice that, a range a fifth. */
const SLOW_BYTES_PER_S = 2_500_000;
const RANGE_BYTES = 3 * MIB;

/** Does not compress; with a hole in the middle. */
const LARGE = {
  lengthBytes: 30 * MIB + 5,
  parts: [
    { atBytes: 0, bytes: randomBytes(22 * MIB) },
    { atBytes: 26 * MIB, bytes: randomBytes(4 * MIB) },
  ],
};
const small = () => ({ lengthBytes: 9000, parts: [{ atBytes: 7, bytes: randomBytes(4000) }] });
const THEIR_POD = "11111111-3c1b-4a5e-9a59-1f6f0f3f6c11";

/** A store for the server and its flags; how an agent puts bundles into it; where they lie as plain files. */
interface TestStore extends AsyncDisposable {
  readonly flags: readonly string[];
  readonly sink: DumpSink;
  file(key: string): string;
}

const STORES: Readonly<Record<string, () => Promise<TestStore>>> = {
  directory: async () => {
    const dir = tempDir();
    const path = join(dir.path, "store");
    mkdirSync(path);
    return {
      flags: ["--store", path],
      sink: new DirectorySink(path),
      file: (key) => join(path, key),
      [Symbol.asyncDispose]: async () => dir[Symbol.dispose](),
    };
  },
  s3: async () => {
    const s3 = await startS3();
    const under = s3Sink(s3);
    return {
      flags: [
        "--store",
        `s3://${s3.bucket}`,
        "--s3-endpoint",
        s3.endpoint,
        "--s3-credentials-dir",
        join(under.folder, `keys-${s3.accessKey}`),
      ],
      sink: under.sink,
      file: (key) => join(s3.folder, "data", s3.bucket, key),
      async [Symbol.asyncDispose]() {
        await under[Symbol.asyncDispose]();
        await s3[Symbol.asyncDispose]();
      },
    };
  },
};

const dumpPath = ({ namespace, name }: Pick<StoredDump, "namespace" | "name">, query = ""): string =>
  `/apis/${API}/namespaces/${namespace}/coredumps/${name}/dump${query}`;
const endpointPath = (namespace: string, name: string, query = ""): string =>
  `/apis/${API}/namespaces/${namespace}/coredumpendpoints/${name}/dump${query}`;
const rangeOf = (from: number, to: number) => ({ range: `bytes=${from}-${to - 1}` });

describe("downloads", { skip }, () => {
  let cluster: Cluster;
  let [alice, bob]: [User, User] = [undefined as never, undefined as never];
  let [mine, theirs]: [string, string] = ["", ""];

  before(async () => {
    cluster = await startCluster({ apiserverFlags: [`--request-timeout=${TIMEOUT_S}s`] });
    await applyCrds(cluster);
    [mine, theirs] = [await cluster.namespace(), await cluster.namespace()];
    [alice, bob] = [await tenant("alice", mine), await tenant("bob", theirs)];
  });
  after(async () => await cluster?.[Symbol.asyncDispose]());

  async function tenant(name: string, namespace: string): Promise<User> {
    const user = await cluster.user(name);
    await cluster
      .in(namespace)
      .kubectl("create", "rolebinding", name, "--clusterrole=coredump-tenant", `--user=${name}`);
    return user.in(namespace);
  }

  for (const [kind, openStore] of Object.entries(STORES)) {
    const storage = kind === "s3" ? "etcd" : "SQLite"; // of the endpoints: each once
    describe(`out of a ${kind} store, endpoints in ${storage}`, () => {
      let store: TestStore;
      let server: ApiServer;
      let [large, other, ofBob]: [StoredDump, StoredDump, StoredDump] = [
        undefined as never,
        undefined as never,
        undefined as never,
      ];
      const get = (path: string, how?: Asked): Promise<Answered> => ask(alice, path, how);

      before(async () => {
        store = await openStore();
        server = await ApiServer.start(cluster, { store: store.flags, storage });
        large = await storedDump(cluster, mine, store.sink, LARGE);
        other = await storedDump(cluster, mine, store.sink, small());
        ofBob = await storedDump(cluster, theirs, store.sink, { ...small(), podUid: THEIR_POD });
      });
      after(async () => {
        await server?.[Symbol.asyncDispose]();
        await store?.[Symbol.asyncDispose]();
        for (const namespace of [mine, theirs]) await cluster.in(namespace).kubectl("delete", KIND, "--all");
      });

      test("a core is the original, a bundle what is stored", async () => {
        const { status, headers, body, whole } = await get(dumpPath(large));
        assert.deepEqual([status, whole, headers["content-length"]], [200, true, `${large.core.length}`]);
        assert.ok(body.equals(large.core));
        assert.match(headers["content-disposition"] ?? "", /^attachment; filename="nginx-.*\.core"$/);
        const bundle = await get(dumpPath(large, "?part=bundle"));
        assert.ok(bundle.body.equals(readFileSync(store.file(large.key))));
        const head = await get(dumpPath(large), { method: "HEAD" });
        assert.deepEqual(
          [head.status, head.headers["content-length"], head.headers.etag],
          [200, `${large.core.length}`, headers.etag],
        );
        const known = await get(dumpPath(large), { headers: { "if-none-match": headers.etag ?? "" } });
        assert.deepEqual([known.status, known.body.length], [304, 0]);
      });

      test("a download that breaks off goes on where it was", async () => {
        const begun = await get(dumpPath(large), { breakAtBytes: 10 * MIB });
        const from = begun.body.length;
        assert.ok(!begun.whole && from < large.core.length);
        const headers = { range: `bytes=${from}-`, "if-range": begun.headers.etag ?? "" };
        const rest = await get(dumpPath(large), { headers });
        assert.deepEqual(
          [rest.status, rest.headers["content-range"]],
          [206, `bytes ${from}-${large.core.length - 1}/${large.core.length}`],
        );
        assert.ok(Buffer.concat([begun.body, rest.body]).equals(large.core));
        const another = await get(dumpPath(large), { headers: { ...headers, "if-range": '"another"' } });
        assert.deepEqual([another.status, another.body.length], [200, large.core.length]);
        assert.equal((await get(dumpPath(large), { headers: { range: "bytes=99999999999-" } })).status, 416);
      });

      test("the server stops working for a client that is gone, and says so", async () => {
        const before = server.audit.length;
        await get(dumpPath(large), { breakAtBytes: 1, bytesPerS: 1000 });
        await eventually(() => {
          const line = server.audit
            .slice(before)
            .find(({ bytes, outcome }) => outcome !== "complete" && bytes < large.core.length);
          assert.ok(line, JSON.stringify(server.audit.slice(before)));
        });
      });

      const slow = kind === "s3" ? test : test.skip; // the link is the same
      slow("a link too slow for kube-apiserver's time-out loads it in ranges", async () => {
        const bytesPerS = SLOW_BYTES_PER_S;
        const whole = await get(dumpPath(large), { bytesPerS });
        assert.ok(!whole.whole && whole.body.length < large.core.length, "it is cut");
        assert.ok(whole.body.equals(large.core.subarray(0, whole.body.length)), "what came is right");
        const ranges: Buffer[] = [];
        for (let from = 0; from < large.core.length; from += RANGE_BYTES) {
          const headers = rangeOf(from, Math.min(from + RANGE_BYTES, large.core.length));
          ranges.push((await get(dumpPath(large), { headers, bytesPerS })).body);
        }
        assert.ok(Buffer.concat(ranges).equals(large.core));
      });

      test("a pod's dumps are one tar, with ranges", async () => {
        const endpoint = await alice.send("create", {
          ...{ apiVersion: API, kind: "CoredumpEndpoint", metadata: { name: `web-0-${kind}`, namespace: mine } },
          spec: { poduid: large.podUid, podname: "web-0" },
        });
        const path = (query = "") => endpointPath(mine, endpoint.metadata["name"], query);
        const { body, headers, whole } = await get(path("?part=core"));
        assert.deepEqual([whole, headers["content-length"]], [true, `${body.length}`]);
        using dir = tempDir();
        writeFileSync(join(dir.path, "t.tar"), body);
        execFileSync("tar", ["-xf", "t.tar"], { cwd: dir.path });
        for (const { key, core } of [large, other]) {
          const file = key
            .split("/")
            .slice(2)
            .join("/")
            .replace(/\.tar\.zst$/, ".core");
          assert.ok(readFileSync(join(dir.path, file)).equals(core));
        }
        const range = await get(path("?part=core"), { headers: rangeOf(5000, 3_000_000) });
        assert.ok(range.body.equals(body.subarray(5000, 3_000_000)));
        const bundles = (await get(path("?container=nginx"))).body;
        assert.ok(bundles.includes(readFileSync(store.file(other.key))));
        for (const container of ["ngin", "..%2fnginx", "%2e%2e", "%00", "../nginx"])
          assert.equal((await get(path(`?container=${container}`))).status, 404, container);
        const again = await get(path("?part=core"), { headers: { "if-none-match": headers.etag ?? "" } });
        assert.equal(again.status, 304);
      });

      test("nobody gets another's, whatever he asks for", async () => {
        const forbidden = [
          dumpPath(ofBob),
          dumpPath(ofBob, "?part=bundle"),
          endpointPath(theirs, "any"),
          endpointPath(theirs, "any", "?container=nginx&part=core"),
        ];
        for (const path of forbidden) {
          for (const how of [{}, { method: "HEAD" as const }, { headers: rangeOf(0, 5) }, { server: server.url }]) {
            const { status, body } = await get(path, how);
            assert.equal(status, 403, path);
            assert.ok(!body.includes(ofBob.core.subarray(7, 50)));
          }
        }
        assert.equal((await ask(bob, dumpPath(ofBob))).status, 200, "its owner does");
        // Names that are paths: kube-apiserver may answer them itself, in whatever way. None of them leads to the bytes.
        const tricks = [
          "..",
          "%2e%2e",
          `..%2f..%2f${theirs}%2fcoredumps%2f${ofBob.name}`,
          `${other.name}%2f..%2f${ofBob.name}`,
        ];
        for (const name of [ofBob.name, ...tricks])
          for (const server_ of [undefined, server.url]) {
            const { status } = await get(
              dumpPath({ namespace: mine, name }),
              server_ === undefined ? {} : { server: server_ },
            );
            assert.ok(status >= 300, `${name}: ${status}`);
          }
      });

      test("each lists and deletes what is theirs, and nothing of the other's", async () => {
        const kept = await storedDump(cluster, theirs, store.sink, small());
        const dropped = await storedDump(cluster, mine, store.sink, small());
        for (const [user, own, others] of [
          [alice, dropped, ofBob],
          [bob, kept, large],
        ] as const) {
          const names = () => user.kubectl("get", KIND, "-o", "name");
          assert.ok((await names()).includes(own.name));
          assert.ok(!(await names()).includes(others.name));
          const there = user.in(others.namespace);
          for (const args of [["get"], ["get", others.name], ["delete", others.name], ["delete", "--all"]])
            assert.match(await there.refusal(args[0] ?? "", KIND, ...args.slice(1)), /Forbidden/, args.join(" "));
          await user.kubectl("delete", KIND, own.name);
          assert.ok(!(await names()).includes(own.name));
          assert.equal((await ask(user, dumpPath(own))).status, 404);
          assert.equal((await ask(user, dumpPath(others))).status, 403);
        }
      });

      test("an endpoint for another namespace's pod holds nothing of it", async () => {
        const endpoint = await alice.send("create", {
          ...{ apiVersion: API, kind: "CoredumpEndpoint", metadata: { name: `theirs-${kind}`, namespace: mine } },
          spec: { poduid: THEIR_POD, podname: "web-0" },
        });
        const { status } = await get(endpointPath(mine, endpoint.metadata["name"]));
        assert.equal(status, 404);
      });

      test("what cannot be had says why", async () => {
        const saying = async (state: object, status: number, words: RegExp) => {
          const dump = await storedDump(cluster, mine, store.sink, small());
          const target = [KIND, dump.name];
          await cluster.in(mine).kubectl("patch", ...target, ...statusPatch({ ...state }));
          const answer = await get(dumpPath(dump));
          assert.equal(answer.status, status);
          assert.match(JSON.parse(answer.body.toString()).message, words);
          await cluster.in(mine).kubectl("delete", ...target);
        };
        await saying({ state: "Denied", message: "Quota exceed, required 9Gi" }, 404, /not kept: Quota exceed/);
        await saying({ state: "Created" }, 409, /quota's decision/);
        await saying({ state: "Restricted" }, 403, /was not dumpable/);
        assert.equal((await get(dumpPath({ namespace: mine, name: "no-such" }))).status, 404);
      });

      test("a bundle that is damaged or gone is an error, never other bytes", async () => {
        const dump = await storedDump(cluster, mine, store.sink, LARGE);
        const file = store.file(dump.key);
        const right = readFileSync(file);
        const damaged = Buffer.from(right);
        damaged[15 * MIB] = (damaged[15 * MIB] ?? 0) ^ 1;
        writeFileSync(file, damaged); // in place, as a bad disk does it
        const { status, whole, body } = await get(dumpPath(dump));
        assert.ok(status !== 200 || !whole);
        if (status === 200) assert.ok(body.equals(dump.core.subarray(0, body.length)));
        writeFileSync(file, right.subarray(0, -1));
        assert.equal((await get(dumpPath(dump))).status, 500);
        rmSync(file);
        const gone = await get(dumpPath(dump));
        assert.equal(gone.status, 404);
        assert.match(JSON.parse(gone.body.toString()).message, /has it no more/);
        await cluster.in(mine).kubectl("delete", KIND, dump.name);
      });
    });
  }
});
