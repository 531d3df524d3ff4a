/** Whose credentials go to which server: kubeconfigs and flags as kubectl reads them, seen by what arrives. */
import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type KubectlFlags, openSession } from "../../../src/cli/client/session.ts";
import { DumpError } from "../../../src/domain/failures.ts";
import { tempDir } from "../../support/tmp.ts";
import { Api } from "./api.ts";

const PLAIN: KubectlFlags = { asGroups: [], insecure: false };

/** A kubeconfig with one context, cluster and user of that name. */
function config(api: Api, name: string, user: object, server = api.url): string {
  const path = join(api.folder.path, `${name}.yaml`);
  const one = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": name,
    contexts: [{ name, context: { cluster: name, user: name, namespace: `ns-of-${name}` } }],
    clusters: [{ name, cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name, user }],
  };
  writeFileSync(path, JSON.stringify(one));
  return path;
}

/** What a request says of who makes it. */
async function sent(
  api: Api,
  access: KubectlFlags,
): Promise<{ authorization: unknown; user: unknown; groups: unknown }> {
  api.saved("x", Buffer.from("core"));
  const { http } = await openSession(access);
  const path = "/apis/coredump.fujitsu.com/v1alpha1/namespaces/shop/coredumps/x/dump";
  (await http.answer({ verb: "get", resource: "coredumps/dump", path })).destroy();
  const { authorization, ...headers } = api.asked.at(-1)?.headers ?? {};
  return { authorization, user: headers["impersonate-user"], groups: headers["impersonate-group"] };
}

async function withEnvironment<T>(name: string, value: string, work: () => Promise<T>): Promise<T> {
  const before = process.env[name];
  process.env[name] = value;
  try {
    return await work();
  } finally {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  }
}

test("openSession() takes the current context's user and namespace", async () => {
  await using api = await Api.start();
  const kubeconfig = config(api, "a", { token: "t-a" });
  assert.deepEqual((await sent(api, { ...PLAIN, kubeconfig })).authorization, "Bearer t-a");
  assert.equal((await openSession({ ...PLAIN, kubeconfig })).namespace, "ns-of-a");
  assert.equal((await openSession({ ...PLAIN, kubeconfig, namespace: "other" })).namespace, "other");
});

test("openSession() merges the files that KUBECONFIG lists: of two entries the first counts, missing files do not", async () => {
  await using api = await Api.start();
  const files = [join(api.folder.path, "none"), config(api, "a", { token: "t-a" }), config(api, "b", { token: "t-b" })];
  await withEnvironment("KUBECONFIG", files.join(":"), async () => {
    assert.equal((await sent(api, PLAIN)).authorization, "Bearer t-a");
    assert.equal((await sent(api, { ...PLAIN, context: "b" })).authorization, "Bearer t-b");
    assert.equal((await sent(api, { ...PLAIN, user: "b" })).authorization, "Bearer t-b");
    assert.deepEqual((await openSession(PLAIN)).contexts, ["a", "b"]);
  });
});

test("openSession() acts as another user, in groups", async () => {
  await using api = await Api.start();
  const kubeconfig = config(api, "a", { token: "t-a" });
  const asked = await sent(api, { ...PLAIN, kubeconfig, asUser: "bob", asGroups: ["g1", "g2"] });
  assert.deepEqual(asked, { authorization: "Bearer t-a", user: "bob", groups: "g1, g2" });
});

test("openSession() lets --token and --server count more than the kubeconfig", async () => {
  await using api = await Api.start();
  const kubeconfig = config(api, "a", { token: "t-a" }, "http://127.0.0.1:1");
  const access = { ...PLAIN, kubeconfig, token: "given", server: api.url, insecure: true };
  assert.equal((await sent(api, access)).authorization, "Bearer given");
});

test("openSession() asks an exec credential plugin", async () => {
  await using api = await Api.start();
  const plugin = join(api.folder.path, "credentials");
  const credential = {
    apiVersion: "client.authentication.k8s.io/v1",
    kind: "ExecCredential",
    status: { token: "t-exec" },
  };
  writeFileSync(plugin, `#!/bin/sh\necho '${JSON.stringify(credential)}'\n`);
  chmodSync(plugin, 0o755);
  const exec = { apiVersion: "client.authentication.k8s.io/v1", command: plugin, interactiveMode: "Never" };
  assert.equal((await sent(api, { ...PLAIN, kubeconfig: config(api, "a", { exec }) })).authorization, "Bearer t-exec");
});

const wrong: readonly { on: string; access: Partial<KubectlFlags>; says: RegExp }[] = [
  { on: "a context that is not there", access: { context: "none" }, says: /Cannot use context "none"/ },
  { on: "a user that is not there", access: { user: "none" }, says: /Cannot use user "none"/ },
  { on: "a cluster that is not there", access: { cluster: "none" }, says: /no cluster "none"/ },
  {
    on: "no such kubeconfig",
    access: { kubeconfig: "/nonexistent/config" },
    says: /Cannot read the kubeconfig \/nonexistent\/config: ENOENT/,
  },
  {
    on: "a folder as the kubeconfig",
    access: { kubeconfig: "/tmp" },
    says: /Cannot read the kubeconfig \/tmp: EISDIR/,
  },
  {
    on: "a namespace that is a path",
    access: { namespace: "a/../b" },
    says: /Cannot look into "a\/\.\.\/b": that is not the name/,
  },
  { on: "a server without a scheme", access: { server: "localhost:8080" }, says: /Cannot use server "localhost:8080"/ },
];

const broken = [
  { on: "broken YAML", text: "a: [b", says: /Cannot read the kubeconfig \S+\/broken: unexpected end/ },
  {
    on: "an entry without its content",
    text: '{"clusters":[{"name":"x"}]}',
    says: /\/broken: clusters\[0\]\.cluster is missing/,
  },
  { on: "other text", text: "hello", says: /the kubeconfig \S+\/broken names no current context/ },
  {
    on: "a context whose cluster is missing",
    text: '{"current-context":"c","contexts":[{"name":"c","context":{"cluster":"gone","user":"u"}}]}',
    says: /the kubeconfig \S+\/broken has no cluster "gone", which its context "c" names/,
  },
];
for (const { on, text, says } of broken) {
  test(`openSession() names the kubeconfig with ${on}`, async () => {
    using folder = tempDir();
    const kubeconfig = join(folder.path, "broken");
    writeFileSync(kubeconfig, text);
    await assert.rejects(openSession({ ...PLAIN, kubeconfig }), (error: DumpError) => {
      assert.match(error.message, says);
      return true;
    });
  });
}

test("openSession() names the certificate that is missing", async () => {
  await using api = await Api.start();
  const user = { "client-certificate": "/nonexistent/client.crt", "client-key": "/nonexistent/client.key" };
  const kubeconfig = config(api, "a", user, "https://127.0.0.1:1");
  await assert.rejects(
    sent(api, { ...PLAIN, kubeconfig }),
    /ENOENT: no such file or directory: \/nonexistent\/client\.(crt|key)/,
  );
});

for (const { on, access, says } of wrong) {
  test(`openSession() refuses ${on}`, async () => {
    await using api = await Api.start();
    const kubeconfig = config(api, "a", {});
    await assert.rejects(openSession({ ...PLAIN, kubeconfig, ...access }), (error) => {
      assert.ok(error instanceof DumpError);
      assert.match(error.message, says);
      return true;
    });
  });
}
