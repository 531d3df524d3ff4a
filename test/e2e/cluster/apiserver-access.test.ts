/** Who gets in, and what they may: with real certificates, tokens and roles, through kube-apiserver and straight to our port. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createSign } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  API,
  ApiServer,
  askStraight,
  type Credentials,
  credentialsOf,
  frontProxyOf,
  STORAGES,
} from "../../support/apiserver.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { eventually } from "../../support/eventually.ts";
import type { User } from "../../support/kubectl.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "cluster");
/** For so long behind its end kube-apiserver still takes a token, because clocks differ. */
const LEEWAY_S = 60;
const RESOURCE = "coredumpendpoints.coredump.fujitsu.com";

describe("who may what", { skip }, () => {
  let cluster: Cluster;
  let server: ApiServer;
  let alice: User;
  let bob: User;
  const [ALICES, BOBS] = ["test-1", "test-2"];
  const both = () => [
    { user: alice, name: "alice", own: ALICES, other: "bob", others: BOBS },
    { user: bob, name: "bob", own: BOBS, other: "alice", others: ALICES },
  ];

  before(async () => {
    cluster = await startCluster();
    [alice, bob] = [await cluster.user("alice", "devs"), await cluster.user("bob")];
    for (const { name, own } of both()) {
      assert.equal(await cluster.namespace(), own);
      await cluster.in(own).kubectl("create", "rolebinding", name, "--clusterrole=coredump-tenant", `--user=${name}`);
    }
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  const endpoint = (name: string) => ({
    ...{ apiVersion: API, kind: "CoredumpEndpoint", metadata: { name } },
    spec: { poduid: "u-1" },
  });
  const listOf = (namespace: string) => `/apis/${API}/namespaces/${namespace}/coredumpendpoints`;
  const straight = async (path: string, credentials?: Credentials, method?: string, body?: object) => {
    const answer = await askStraight(server, path, typed(credentials, body), method, body && JSON.stringify(body));
    const { reason, message } = JSON.parse(String(answer.body)) as { reason?: string; message?: string };
    return { status: answer.status, reason, message };
  };
  const typed = (credentials: Credentials = {}, body?: object): Credentials => ({
    ...credentials,
    headers: { ...credentials.headers, ...(body && { "content-type": "application/json" }) },
  });
  const as = (user: string, ...groups: string[]) => ({ "x-remote-user": user, "x-remote-group": groups });

  /** Signed by that authority, for that name. */
  function certificate(authority: string, name: string): Credentials {
    const pki = join(cluster.folder, "pki");
    const base = join(cluster.folder, `${authority}-${name}`);
    writeFileSync(`${base}.ext`, "extendedKeyUsage=clientAuth\n");
    const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe" });
    openssl(
      ...["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", `/CN=${name}`],
      ...["-keyout", `${base}.key`, "-out", `${base}.csr`],
    );
    openssl(
      ...[
        "x509",
        "-req",
        "-in",
        `${base}.csr`,
        "-CA",
        join(pki, `${authority}.crt`),
        "-CAkey",
        join(pki, `${authority}.key`),
      ],
      ...["-days", "1", "-extfile", `${base}.ext`, "-out", `${base}.crt`],
    );
    return { cert: readFileSync(`${base}.crt`), key: readFileSync(`${base}.key`) };
  }

  for (const storage of STORAGES)
    describe(`over ${storage}`, () => {
      before(async () => {
        await server?.[Symbol.asyncDispose]();
        server = await ApiServer.start(cluster, { storage });
        for (const { name, own } of both()) await cluster.in(own).send("create", endpoint(`of-${name}`));
        await eventually(() => cluster.kubectl("get", "coredumps", "-A")); // a new kind's first list may be refused
      });

      test("each uses what is theirs, by every verb", async () => {
        for (const { user, name, own } of both()) {
          const mine = user.in(own);
          const names = (...all: string[]) =>
            all.map((each) => `coredumpendpoint.coredump.fujitsu.com/${each}\n`).join("");
          await mine.send("create", endpoint("x"));
          await mine.kubectl("label", "cde", "x", "a=b");
          assert.equal(await mine.kubectl("get", "cde", "-o", "name"), names(`of-${name}`, "x"));
          await mine.kubectl("delete", "cde", "-l", "a=b");
          assert.equal(await mine.kubectl("get", "cde", "-o", "name"), names(`of-${name}`));
        }
      });

      test("and is refused what is another's, by every verb and every way", async () => {
        for (const { user, name, other, others } of both()) {
          const [theirs, one] = [listOf(others), `${listOf(others)}/of-${other}`];
          const body = endpoint(`of-${other}`);
          const asked: [string, string, object?][] = [
            ...["", "?watch=true", "?limit=1", "?fieldSelector=metadata.name%3Dof-x"].map((query): [string, string] => [
              "GET",
              theirs + query,
            ]),
            ...["", "/status", "/dump", "/dump?container=x", "/dump?part=core"].map((rest): [string, string] => [
              "GET",
              one + rest,
            ]),
            ["GET", one.replace("coredumpendpoints", "coredumps").concat("/dump")],
            ["GET", `/apis/${API}/coredumpendpoints`],
            ["HEAD", `${one}/dump`],
            ["POST", theirs, body],
            ["PUT", one, body],
            ["PUT", `${one}/status`, body],
            ["PATCH", one, {}],
            ["PATCH", `${one}/status`, {}],
            ["DELETE", one],
            ["DELETE", theirs],
          ];
          for (const [method, path, sent] of asked) {
            const answers = await Promise.all([
              askStraight(server, path, typed(credentialsOf(user), sent), method, sent && JSON.stringify(sent)),
              askStraight(
                server,
                path,
                typed({ ...frontProxyOf(cluster), headers: as(name) }, sent),
                method,
                sent && JSON.stringify(sent),
              ),
            ]);
            for (const { status } of answers) assert.equal(status, 403, `${method} ${path}`);
          }
          const refusals = [
            ["get", "cde"],
            ["get", "cde", `of-${other}`],
            ["delete", "cde", "--all"],
            ["get", "cde", "-w"],
            ["get", "--raw", `${one}/dump`],
          ];
          for (const args of refusals)
            assert.match(await user.in(others).refusal(...args), /Forbidden|forbidden/, args.join(" "));
          assert.match(await user.refusal("get", "cde", "-A"), /at the cluster scope/);
        }
      });

      test("no spelling of a path leads out of one's own namespace", async () => {
        const spellings = [
          `${listOf(ALICES)}/../../${BOBS}/coredumpendpoints/of-bob`,
          `${listOf(ALICES)}/%2e%2e%2f%2e%2e%2f${BOBS}%2fcoredumpendpoints%2fof-bob`,
          `${listOf(ALICES)}/..%2f..%2f${BOBS}/of-bob/dump`,
          `${listOf(`${ALICES}%2f..%2f${BOBS}`)}/of-bob`,
          `${listOf(`${ALICES}%00${BOBS}`)}/of-bob`,
          `//apis/${API}/namespaces/${BOBS}/coredumpendpoints/of-bob`,
          `/x/..${listOf(BOBS)}/of-bob`,
          `${listOf(BOBS).replace("apis", "%61pis")}/of-bob`,
          `${listOf(BOBS)};a=b/of-bob`,
          `https://${cluster.address}${listOf(BOBS)}/of-bob`,
          `${listOf(ALICES)}/of-alice/dump?container=../../of-bob`,
          `${listOf(BOBS)}?watch=false&watch=true`,
        ];
        const uid = (await cluster.in(BOBS).get("cde", "of-bob")).metadata["uid"];
        for (const path of spellings)
          for (const credentials of [credentialsOf(alice), { ...frontProxyOf(cluster), headers: as("alice") }]) {
            const { status, body } = await askStraight(server, path, credentials);
            assert.ok(status >= 400 && status < 500, `${status} ${path} ${body}`);
            assert.ok(!String(body).includes(uid), path);
          }
      });

      test("a right that is taken away ends the watch that it allowed", async () => {
        await cluster
          .in(ALICES)
          .kubectl("create", "rolebinding", "dave", "--clusterrole=coredump-tenant", "--user=dave");
        const dave = credentialsOf(await cluster.user("dave"));
        const watching = await Promise.all([watch(dave), watch({ ...frontProxyOf(cluster), headers: as("dave") })]);
        await cluster.in(ALICES).kubectl("delete", "rolebinding", "dave");
        for (const { ended } of watching) {
          const last = JSON.parse((await ended).trim().split("\n").at(-1) ?? "");
          assert.deepEqual([last.type, last.object.code], ["ERROR", 403]);
        }
        assert.equal((await straight(listOf(ALICES), dave)).status, 403);
      });
    });

  test("a refusal says which right is missing", async () => {
    const { message = "" } = await straight(`${listOf(BOBS)}/of-bob/dump`, credentialsOf(alice));
    assert.ok(
      message.startsWith(
        `${RESOURCE} "of-bob" is forbidden: User "alice" cannot get resource "coredumpendpoints/dump" in API group "coredump.fujitsu.com" in the namespace "${BOBS}"`,
      ),
      message,
    );
  });

  test("the right to read memory is one of its own", async () => {
    const carol = await cluster.user("carol");
    const rights = [
      "--verb=get,list",
      "--resource=coredumps.coredump.fujitsu.com,coredumpendpoints.coredump.fujitsu.com",
    ];
    await cluster.in(ALICES).kubectl("create", "role", "looker", ...rights);
    await cluster.in(ALICES).kubectl("create", "rolebinding", "carol", "--role=looker", "--user=carol");
    assert.equal((await straight(`${listOf(ALICES)}/of-alice`, credentialsOf(carol))).status, 200);
    for (const path of [`${listOf(ALICES)}/of-alice/dump`, `${listOf(ALICES).replace("endpoints", "s")}/any/dump`])
      assert.equal((await straight(path, credentialsOf(carol))).status, 403);
    assert.equal(
      (await straight(`${listOf(ALICES).replace("endpoints", "s")}/any/dump`, credentialsOf(alice))).status,
      404,
    );
  });

  const nobodies: readonly { on: string; credentials: () => Credentials | Promise<Credentials> }[] = [
    { on: "nothing", credentials: () => ({}) },
    { on: "headers alone", credentials: () => ({ headers: as("admin", "system:masters") }) },
    {
      on: "headers with a certificate of the front proxy's authority for another name",
      credentials: () => ({ ...certificate("front-ca", "mallory"), headers: as("alice") }),
    },
    {
      on: "headers with a certificate that nobody knows",
      credentials: () => ({ ...selfSigned(), headers: as("alice") }),
    },
    { on: "the front proxy's certificate without headers", credentials: () => frontProxyOf(cluster) },
    { on: "a token that is none", credentials: () => ({ headers: { authorization: "Bearer abc" } }) },
    {
      on: "a token that has expired",
      credentials: () => ({ headers: { authorization: `Bearer ${token(-2 * LEEWAY_S)}` } }),
    },
    { on: "a password", credentials: () => ({ headers: { authorization: "Basic YWRtaW46YWRtaW4=" } }) },
  ];
  for (const { on, credentials } of nobodies) {
    test(`who comes with ${on} is nobody`, async () => {
      for (const path of [
        listOf(ALICES),
        `${listOf(ALICES)}/of-alice/dump`,
        "/apis",
        "/openapi/v2",
        "/metrics",
        "/nothing",
      ])
        assert.deepEqual((await straight(path, await credentials())).status, 401, path);
    });
  }

  test("a client certificate that says front-proxy is a user of that name, and speaks for nobody", async () => {
    const user = await cluster.user("front-proxy");
    const { status, message } = await straight(listOf(ALICES), { ...credentialsOf(user), headers: as("alice") });
    assert.equal(status, 403);
    assert.match(message ?? "", /User "front-proxy" cannot list/);
  });

  test("the front proxy speaks for users with all their groups", async () => {
    const ask = (headers: Record<string, string | string[]>) =>
      straight(listOf(ALICES), { ...frontProxyOf(cluster), headers });
    assert.equal((await ask(as("alice"))).status, 200);
    assert.equal((await ask(as("bob"))).status, 403);
    await cluster.in(ALICES).kubectl("create", "rolebinding", "ops", "--clusterrole=coredump-tenant", "--group=ops");
    assert.equal((await ask(as("zoe", "a", "ops", "c"))).status, 200);
    assert.equal((await ask(as("zoe", "a, ops"))).status, 403); // one group with a comma in its name
    const many = Array.from({ length: 500 }, (_, index) => `a-group-of-the-company-${index}`);
    assert.equal((await ask(as("zoe", ...many, "ops"))).status, 200);
  });

  test("impersonation is kube-apiserver's, and ours is refused", async () => {
    assert.match(await cluster.in(BOBS).kubectl("get", "cde", "--as=bob"), /of-bob/);
    assert.match(await cluster.in(ALICES).refusal("get", "cde", "--as=bob"), /User "bob" cannot list/);
    const admin = credentialsOf(cluster);
    assert.equal((await straight(listOf(ALICES), { ...admin, headers: { "impersonate-user": "alice" } })).status, 400);
  });

  test("a service account's token gets what its roles give, until it expires", async () => {
    await cluster
      .in(ALICES)
      .kubectl("create", "rolebinding", "tool", "--clusterrole=coredump-tenant", `--serviceaccount=${ALICES}:default`);
    const credentials = { headers: { authorization: `Bearer ${token(6 - LEEWAY_S, await uidOf("default"))}` } };
    assert.equal((await straight(listOf(ALICES), credentials)).status, 200);
    assert.equal((await straight(listOf(BOBS), credentials)).status, 403);
    await eventually(async () => assert.equal((await straight(listOf(ALICES), credentials)).status, 401));
  });

  test("health is for everybody, figures are for those who may", async () => {
    for (const path of ["/healthz", "/livez", "/readyz"]) {
      const { status, body } = await askStraight(server, path);
      assert.deepEqual([status, String(body)], [200, "ok"]);
    }
    assert.equal((await straight("/metrics", credentialsOf(alice))).status, 403);
    const { status, body } = await askStraight(server, "/metrics", credentialsOf(cluster));
    assert.equal(status, 200);
    assert.match(
      String(body),
      /^coredump_apiserver_requests_total\{verb="list",resource="coredumpendpoints",code="200"\} \d+$/m,
    );
  });

  /** Begun when it resolves; `ended` has all that came. */
  async function watch({ headers, ...tls }: Credentials): Promise<{ ended: Promise<string> }> {
    const { hostname: host, port } = new URL(server.url);
    const path = `${listOf(ALICES)}?watch=true`;
    const sent = request({ host, port, path, ca: server.ca, agent: false, headers: { ...headers }, ...tls }).end();
    return await new Promise((resolve, reject) => {
      sent.on("error", reject);
      sent.on("response", (answer) => {
        assert.equal(answer.statusCode, 200);
        let told = "";
        answer.setEncoding("utf8").on("data", (text) => (told += text));
        resolve({ ended: new Promise((done) => answer.on("end", () => done(told))) });
      });
    });
  }

  /** Signed as kube-apiserver signs them, because it makes none that soon expires. */
  function token(seconds: number, uid = "none"): string {
    const now = Math.floor(Date.now() / 1000);
    const account = { namespace: ALICES, serviceaccount: { name: "default", uid } };
    const claims = {
      ...{ iss: "https://kubernetes.default.svc", aud: ["https://kubernetes.default.svc"] },
      ...{ sub: `system:serviceaccount:${ALICES}:default`, iat: now - 600, nbf: now - 600, exp: now + seconds },
      "kubernetes.io": account,
    };
    const encoded = [{ alg: "ES256", typ: "JWT" }, claims].map((part) =>
      Buffer.from(JSON.stringify(part)).toString("base64url"),
    );
    const key = readFileSync(join(cluster.folder, "pki/accounts.key"));
    const signature = createSign("SHA256").update(encoded.join(".")).sign({ key, dsaEncoding: "ieee-p1363" });
    return `${encoded.join(".")}.${signature.toString("base64url")}`;
  }

  const uidOf = async (account: string) => (await cluster.in(ALICES).get("serviceaccount", account)).metadata["uid"];

  function selfSigned(): Credentials {
    const [key, cert] = ["key", "crt"].map((end) => join(cluster.folder, `self-signed.${end}`)) as [string, string];
    const subject = ["-subj", "/CN=front-proxy", "-days", "1"];
    const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert];
    execFileSync("openssl", ["req", "-x509", "-new", ...made, ...subject], { stdio: "pipe" });
    return { cert: readFileSync(cert), key: readFileSync(key) };
  }
});
