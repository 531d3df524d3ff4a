/** `kubectl coredump dump` against an API server that breaks off, changes its mind, or refuses. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Api, refuse } from "../client/api.ts";
import { plugin } from "./run.ts";

const CORE = Buffer.concat([randomBytes(3 << 20), Buffer.alloc(4 << 20), randomBytes((2 << 20) + 4321)]);
const NAME = "web-0-nginx-3f9c2a71b0de";

test("dump writes the core, its zeros as holes, for nobody else to read", async () => {
  await using api = await Api.start();
  api.saved(NAME, CORE);
  const cwd = api.folder.path;
  const { code, stderr } = await plugin(["dump", NAME, "x.core", "--kubeconfig", api.kubeconfig], { cwd });
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^x\.core: 9 MiB, sha256 [0-9a-f]{64}\n$/);
  assert.ok(readFileSync(join(cwd, "x.core")).equals(CORE));
  const { mode, blocks } = statSync(join(cwd, "x.core"));
  assert.equal(mode & 0o777, 0o600);
  assert.ok(blocks * 512 < CORE.length - (3 << 20));
  assert.ok(api.asked.length > 3, "by several requests");
  assert.ok(api.asked.slice(1).every(({ ifRange }) => ifRange !== undefined));
});

test("dump - streams the core; so does dump into a pipe", async () => {
  await using api = await Api.start();
  api.saved(NAME, CORE);
  for (const file of [["-"], []]) {
    const { code, stdout } = await plugin(["dump", NAME, ...file, "--kubeconfig", api.kubeconfig]);
    assert.equal(code, 0);
    assert.ok(stdout.equals(CORE));
  }
});

test("dump goes on behind every connection that breaks off", async () => {
  await using api = await Api.start();
  api.saved(NAME, CORE);
  const bundle = await api.bundleOf(NAME);
  api.onDump = (n, response, { range }) => {
    const [, first = "0", last = "0"] = /bytes=(\d+)-(\d+)/.exec(range ?? "") ?? [];
    if (n < 2 || n % 2 === 0 || Number(last) - Number(first) < 1000) return false;
    const part = bundle.subarray(Number(first), Number(last) + 1);
    response.writeHead(206, {
      "content-length": part.length,
      "content-range": `bytes ${first}-${last}/${bundle.length}`,
      etag: '"e"',
    });
    response.write(part.subarray(0, part.length >> 1), () => setTimeout(() => response.destroy(), 5));
    return true;
  };
  api.etag = '"e"';
  const path = join(api.folder.path, "x.core");
  const { code, stderr } = await plugin(["dump", NAME, path, "--kubeconfig", api.kubeconfig]);
  assert.equal(code, 0, stderr);
  assert.ok(readFileSync(path).equals(CORE));
});

test("dump that was interrupted goes on from FILE.part, and asks only for what is missing", async () => {
  await using api = await Api.start();
  api.saved(NAME, CORE);
  const path = join(api.folder.path, "x.core");
  const args = ["dump", NAME, path, "--kubeconfig", api.kubeconfig];
  const { promise: stuck, resolve: isStuck } = Promise.withResolvers<void>();
  api.onDump = (n) => {
    if (n <= 8) return false;
    isStuck();
    return new Promise(() => undefined);
  };
  const first = await plugin(args, {
    meddle: (child) => void stuck.then(() => setTimeout(() => child.kill("SIGINT"), 300)),
  });
  assert.equal(first.code, 130, first.stderr);
  assert.match(first.stderr, /x\.core\.part keeps .*; the same command goes on from there\nerror: Interrupted\n/);
  assert.ok(!existsSync(path) && existsSync(`${path}.part`));
  api.onDump = () => false;
  const before = api.asked.length;
  const second = await plugin(args);
  assert.equal(second.code, 0, second.stderr);
  assert.match(second.stderr, /^Going on with .*x\.core\.part: /);
  assert.ok(readFileSync(path).equals(CORE));
  assert.ok(!existsSync(`${path}.part`));
  const bytes = api.asked.slice(before + 1).reduce((sum, { range }) => {
    const [, first = 0, last = 0] = /bytes=(\d+)-(\d+)/.exec(range ?? "") ?? [];
    return sum + Number(last) - Number(first) + 1;
  }, 0);
  assert.ok(bytes < CORE.length, `${bytes}`);
});

test("dump begins anew where FILE.part is of another dump, or damaged", async () => {
  await using api = await Api.start();
  api.saved(NAME, CORE);
  const path = join(api.folder.path, "x.core");
  const done = [{ fromBytes: 0, toBytes: 4096 }];
  for (const [etag, text] of [
    ['"another"', JSON.stringify({ etag: '"another"', lengthBytes: CORE.length, done })],
    ['"e"', '{"etag":'],
    ['"e"', JSON.stringify({ etag: '"e"', lengthBytes: CORE.length, done: [{ fromBytes: -1, toBytes: 10 }] })],
  ] as const) {
    api.etag = etag === '"another"' ? '"e"' : etag;
    writeFileSync(`${path}.part`, Buffer.concat([randomBytes(CORE.length), Buffer.from(`\n${text}\n`)]));
    const { code, stderr } = await plugin(["dump", NAME, path, "-f", "--kubeconfig", api.kubeconfig]);
    assert.equal(code, 0, stderr);
    assert.ok(readFileSync(path).equals(CORE));
  }
});

test("dump gives no file its name whose checksum is wrong, and goes on from nothing", async () => {
  await using api = await Api.start();
  api.saved(NAME, CORE, { status: { checksum: `sha256:${"0".repeat(64)}` } });
  const { code, stderr } = await plugin(["dump", NAME, api.folder.path, "--kubeconfig", api.kubeconfig]);
  assert.equal(code, 65);
  assert.match(stderr, /error: Cannot confirm what came: its SHA-256 is [0-9a-f]{64}, not 0{64}\nhint: /);
  assert.deepEqual(readdirSync(api.folder.path), ["kubeconfig"]);
  assert.equal((await plugin(["dump", NAME, "-", "--kubeconfig", api.kubeconfig])).code, 65);
});

/** Bytes that were asked for. */
const onTheWire = (api: Api): number =>
  api.asked.reduce((sum, { range }) => {
    const [, first = 0, last = 0] = /bytes=(\d+)-(\d+)/.exec(range ?? "") ?? [];
    return sum + Number(last) - Number(first) + 1;
  }, 0);

for (const [on, args] of [
  ["into a file", ["x.core"]],
  ["to stdout", ["-"]],
] as const) {
  test(`dump ${on} sends what the bundle holds, and no hole of the core`, async () => {
    await using api = await Api.start();
    const core = Buffer.alloc(48 << 20);
    randomBytes(2 << 20).copy(core, (9 << 20) + 77);
    randomBytes(1 << 20).copy(core, 40 << 20);
    api.saved(NAME, core);
    const cwd = api.folder.path;
    const { code, stdout, stderr } = await plugin(["dump", NAME, ...args, "--kubeconfig", api.kubeconfig], { cwd });
    assert.equal(code, 0, stderr);
    const bundleBytes = (await api.bundleOf(NAME)).length;
    assert.ok(onTheWire(api) <= 1.05 * bundleBytes, `${onTheWire(api)} for a bundle of ${bundleBytes}`);
    assert.ok((on === "to stdout" ? stdout : readFileSync(join(cwd, "x.core"))).equals(core));
    if (on === "into a file") assert.ok(statSync(join(cwd, "x.core")).blocks * 512 < 5 << 20);
  });
}

test("dump says which frame's checksum is wrong, and gives no file its name", async () => {
  await using api = await Api.start();
  api.saved(NAME, CORE);
  const bundle = await api.bundleOf(NAME);
  bundle[bundle.length - (1 << 20)] = ~(bundle.at(-(1 << 20)) ?? 0) & 0xff;
  const path = join(api.folder.path, "x.core");
  const { code, stderr } = await plugin(["dump", NAME, path, "--kubeconfig", api.kubeconfig]);
  assert.equal(code, 65, stderr);
  assert.match(stderr, /error: Cannot read the bundle: one of its frames is damaged/);
  assert.ok(!existsSync(path));
});

test("dump of what is no bundle of ours takes the core as the server has it", async () => {
  await using api = await Api.start();
  api.saved(NAME, CORE);
  api.files.set(`shop/coredumps/${NAME}?part=bundle`, randomBytes(100_000));
  const { code, stdout, stderr } = await plugin(["dump", NAME, "-", "--kubeconfig", api.kubeconfig]);
  assert.equal(code, 0, stderr);
  assert.match(
    stderr,
    /^warning: Cannot read the bundle: it has no seek table; asking the server for the core itself\n/,
  );
  assert.ok(stdout.equals(CORE));
});

test("dump stops when another dump takes the name meanwhile", async () => {
  await using api = await Api.start();
  api.saved(NAME, CORE);
  api.onDump = (n) => {
    if (n === 2) api.etag = '"another"';
    return false;
  };
  const path = join(api.folder.path, "x.core");
  const { code, stderr } = await plugin(["dump", NAME, path, "--kubeconfig", api.kubeconfig]);
  assert.equal(code, 76, stderr);
  assert.match(stderr, /error: Cannot go on with .*: it is no longer what it was/);
  assert.ok(!existsSync(path));
});

const refusals: readonly { on: string; status: object; code: number; says: RegExp }[] = [
  {
    on: "Denied",
    status: { state: "Denied", message: "Quota exceed, required 9Gi, but default has only 4Gi" },
    code: 66,
    says: /^error: The core of \S+ was not kept: Quota exceed, required 9Gi, but default has only 4Gi\nhint: kubectl get coredumpquotas -n shop /,
  },
  { on: "Created", status: { state: "Created" }, code: 75, says: /yet: it waits for the quota's decision\nhint: / },
  {
    on: "Restricted",
    status: { state: "Restricted" },
    code: 77,
    says: /not dumpable.*\nhint: Root of its node can read it/,
  },
  { on: "Refused, not dumpable", status: { state: "Refused", reason: "NotDumpable" }, code: 77, says: /not dumpable/ },
  { on: "no state", status: { state: undefined }, code: 75, says: /being registered/ },
];
for (const { on, status, code, says } of refusals) {
  test(`dump of one that is ${on} says why, and asks for no bytes`, async () => {
    await using api = await Api.start();
    api.saved(NAME, CORE, { status });
    const ended = await plugin(["dump", NAME, "-", "--kubeconfig", api.kubeconfig]);
    assert.equal(ended.code, code);
    assert.match(ended.stderr, says);
    assert.equal(api.asked.length, 0);
  });
}

const answers: readonly {
  on: string;
  answer: readonly [number, string, string, string?];
  code: number;
  says: RegExp;
}[] = [
  {
    on: "403 of RBAC",
    answer: [
      403,
      "Forbidden",
      'coredumps.coredump.fujitsu.com "x" is forbidden: User "alice" cannot get resource "coredumps/dump" in API group "coredump.fujitsu.com" in the namespace "shop"',
    ],
    code: 77,
    says: /hint: Ask for a role that grants "get" on "coredumps\/dump" of coredump\.fujitsu\.com in namespace shop/,
  },
  {
    on: "404 of the API",
    answer: [404, "NotFound", "the server could not find the requested resource"],
    code: 69,
    says: /this cluster has no API server of coredump-detector\nhint: .*kubectl get apiservice v1alpha1\.coredump\.fujitsu\.com/,
  },
  {
    on: "503 of the aggregator",
    answer: [503, "ServiceUnavailable", "error trying to reach service: dial tcp: connection refused"],
    code: 69,
    says: /error trying to reach service.*\nhint: If this goes on: kubectl get apiservice v1alpha1\.coredump\.fujitsu\.com/,
  },
  {
    on: "409 of our server",
    answer: [409, "Conflict", "its namespace is terminating", "x"],
    code: 75,
    says: /terminating/,
  },
];
for (const { on, answer, code, says } of answers) {
  test(`dump on ${on} says what is missing`, async () => {
    await using api = await Api.start();
    api.saved(NAME, CORE);
    api.onDump = (_, response) => {
      refuse(response, ...answer);
      return true;
    };
    const ended = await plugin(["dump", NAME, "-", "--kubeconfig", api.kubeconfig]);
    assert.equal(ended.code, code, ended.stderr);
    assert.match(ended.stderr, says);
  });
}

test("dump --bundle and --endpoint take what they name", async () => {
  await using api = await Api.start();
  api.saved(NAME, CORE);
  api.endpoints.push({
    metadata: { name: "web-0", namespace: "shop", uid: "u", resourceVersion: "1" },
    spec: { poduid: "p" },
  });
  api.files.set(`shop/coredumps/${NAME}?part=bundle`, Buffer.from("a bundle"));
  api.files.set("shop/coredumpendpoints/web-0?part=core", Buffer.from("a tar"));
  const to = api.folder.path;
  assert.equal((await plugin(["dump", NAME, to, "--bundle", "--kubeconfig", api.kubeconfig])).code, 0);
  assert.equal(readFileSync(join(to, `${NAME}.tar.zst`), "utf8"), "a bundle");
  const args = ["dump", "--endpoint", "web-0", "--container", "app", to, "--kubeconfig", api.kubeconfig];
  assert.equal((await plugin(args)).code, 0);
  assert.equal(readFileSync(join(to, "web-0.tar"), "utf8"), "a tar");
  assert.equal(api.asked.at(-1)?.url.searchParams.get("container"), "app");
});

test("dump says what it was not told, or told wrongly", async () => {
  await using api = await Api.start();
  api.saved(NAME, CORE);
  for (const args of [
    ["dump"],
    ["dump", NAME, "-", "--container", "x"],
    ["dump", "--endpoint", "a", "b", "c"],
    ["dump", NAME, "--nonsense"],
  ]) {
    const { code, stderr } = await plugin([...args, "--kubeconfig", api.kubeconfig]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^error: /);
  }
  const there = join(api.folder.path, "there");
  writeFileSync(there, "");
  const { code, stderr } = await plugin(["dump", NAME, there, "--kubeconfig", api.kubeconfig]);
  assert.equal(code, 74);
  assert.match(stderr, /it is there already\nhint: --force/);
});
