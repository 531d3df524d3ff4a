/** coredumpendpoints through a real kube-apiserver, by a real kubectl: all that it does with a kind. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { API, ApiServer, STORAGES } from "../../support/apiserver.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { eventually } from "../../support/eventually.ts";
import { KUBECTL, type User } from "../../support/kubectl.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";

const skip = needs("root", "cluster");

const endpoint = (metadata: object, spec: object = { poduid: "u-1" }) => ({
  ...{ apiVersion: API, kind: "CoredumpEndpoint" },
  ...{ metadata, spec },
});

describe("kubectl and coredumpendpoints", { skip }, () => {
  let cluster: Cluster;
  let server: ApiServer;

  before(async () => {
    cluster = await startCluster();
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  const namespace = async (): Promise<User & { readonly name: string }> => {
    const name = await cluster.namespace();
    return Object.assign(cluster.in(name), { name });
  };

  for (const storage of STORAGES)
    describe(`over ${storage}`, () => {
      before(async () => {
        await server?.[Symbol.asyncDispose]();
        server = await ApiServer.start(cluster, { storage });
      });

      test("create, get in all forms, describe, delete", async () => {
        const team = await namespace();
        await team.send("create", endpoint({ name: "web-0" }));
        assert.match(await team.kubectl("get", "cde"), /^NAME +POD +POD UID +AGE\nweb-0 +web-0 +u-1 +\d+s\n$/);
        assert.match(await team.kubectl("get", "cde", "-o", "wide"), /^NAME +POD +POD UID +AGE +MESSAGE\n/);
        assert.match(
          await team.kubectl("get", "cde", "-A"),
          new RegExp(`^NAMESPACE +NAME.*\\n(.*\\n)*${team.name} +web-0`),
        );
        assert.equal(await team.kubectl("get", "cde", "-o", "name"), "coredumpendpoint.coredump.fujitsu.com/web-0\n");
        assert.match(await team.kubectl("get", "cde", "web-0", "-o", "yaml"), /poduid: u-1/);
        assert.match(await team.kubectl("describe", "cde", "web-0"), /Poduid: +u-1/);
        assert.match(
          await team.refusal("get", "cde", "web-1"),
          /NotFound.*coredumpendpoints.coredump.fujitsu.com "web-1" not found/,
        );
        assert.match(await team.kubectl("delete", "cde", "web-0"), /deleted/);
        assert.match(await team.kubectl("get", "cde"), /^$/);
      });

      test("get finds by labels, fields and in pages", async () => {
        const team = await namespace();
        for (const name of ["a", "b", "c"])
          await team.send("create", endpoint({ name, labels: { app: name === "b" ? "x" : "y" } }));
        const names = (...args: string[]) =>
          team.kubectl("get", "cde", "-o", "jsonpath={.items[*].metadata.name}", ...args);
        assert.equal(await names("-l", "app in (y,z), app!=x"), "a c");
        assert.equal(await names("--field-selector", "metadata.name!=a"), "b c");
        assert.equal(await names("--chunk-size=1"), "a b c");
        assert.equal(await names("--sort-by=.metadata.name", "-l", "!app"), "");
      });

      test("apply again and again, with other fields, and not from the server's side", async () => {
        const team = await namespace();
        await team.send("apply", endpoint({ name: "web-0", labels: { a: "b" } }));
        const { metadata } = await team.get("cde", "web-0");
        await team.send("apply", endpoint({ name: "web-0", labels: { a: "b" } }));
        assert.equal((await team.get("cde", "web-0")).metadata["resourceVersion"], metadata["resourceVersion"]);
        const changed = await team.send(
          "apply",
          endpoint({ name: "web-0", labels: { c: "d" } }, { poduid: "u-1", podname: "x" }),
        );
        assert.deepEqual(
          [changed.metadata["labels"], changed["spec"].podname, changed.metadata["generation"]],
          [{ c: "d" }, "x", 2],
        );
        assert.match(
          await team.sendRefusal("apply", endpoint({ name: "web-0" }), "--server-side"),
          /Server-side apply not available/,
        );
        assert.match(
          await team.sendRefusal("apply", endpoint({ name: "web-0" }, { poduid: "u-2" })),
          /spec.poduid: Invalid value: "u-2": field is immutable/,
        );
        assert.match(
          await team.sendRefusal("create", endpoint({ name: "b" }, { colour: 1 }), "--validate=strict"),
          /unknown field "spec.colour"/,
        );
        assert.match(
          await team.kubectl(
            "diff",
            "-f",
            await file(endpoint({ name: "web-0", labels: { c: "d" } }, { poduid: "u-1", podname: "x" })),
          ),
          /^$/,
        );
      });

      test("patch, label, annotate, edit, replace", async () => {
        const team = await namespace();
        await team.send("create", endpoint({ name: "web-0" }));
        await team.kubectl("patch", "cde", "web-0", "--type=merge", "-p", '{"spec":{"podname":"x"}}');
        await team.kubectl(
          "patch",
          "cde",
          "web-0",
          "--type=json",
          "-p",
          '[{"op":"replace","path":"/spec/podname","value":"web-y"}]',
        );
        assert.match(await team.refusal("patch", "cde", "web-0", "-p", "{}"), /strategic|unknown format/);
        await team.kubectl("label", "cde", "web-0", "a=b");
        await team.kubectl("annotate", "cde", "web-0", "c=d");
        using folder = tempDir();
        const editor = join(folder.path, "editor");
        writeFileSync(editor, "#!/bin/sh\nsed -i 's/podname: web-y/podname: web-z/' \"$1\"\n", { mode: 0o755 });
        await run(["--kubeconfig", team.kubeconfig, "-n", team.name, "edit", "cde", "web-0"], { KUBE_EDITOR: editor });
        const edited = await team.get("cde", "web-0");
        assert.deepEqual([edited["spec"].podname, edited.metadata["labels"]], ["web-z", { a: "b" }]);
        assert.equal(edited.metadata["annotations"].c, "d");
        await team.send("replace", { ...edited, spec: { ...edited["spec"], podname: "r" } });
        assert.match(await team.sendRefusal("replace", edited), /Conflict|modified/); // that version is an older one by now
      });

      test("wait for a condition, a field and a deletion", async () => {
        const team = await namespace();
        await team.send("create", endpoint({ name: "web-0" }));
        const waiting = team.kubectl("wait", "cde/web-0", "--for=condition=Ready", "--timeout=30s");
        const status = { status: { conditions: [{ type: "Ready", status: "True" }] } };
        await team.kubectl(
          "patch",
          "cde",
          "web-0",
          "--subresource=status",
          "--type=merge",
          "-p",
          JSON.stringify(status),
        );
        assert.match(await waiting, /condition met/);
        assert.match(
          await team.kubectl("wait", "cde/web-0", "--for=jsonpath={.spec.poduid}=u-1", "--timeout=30s"),
          /met/,
        );
        const gone = team.kubectl("wait", "cde/web-0", "--for=delete", "--timeout=30s");
        await team.kubectl("delete", "cde", "web-0", "--wait=false");
        await gone;
      });

      test("get -w prints what happens", async () => {
        const team = await namespace();
        const args = ["--kubeconfig", team.kubeconfig, "-n", team.name, "get", "cde", "-w", "--output-watch-events"];
        const child = spawn(KUBECTL, args, { stdio: ["ignore", "pipe", "inherit"] });
        try {
          const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
          const next = async () => ((await lines.next()).value ?? "").split(/ +/).slice(0, 2).join(" ");
          await team.send("create", endpoint({ name: "a" }));
          assert.deepEqual([await next(), await next()], ["EVENT NAME", "ADDED a"]);
          await team.kubectl("label", "cde", "a", "x=y");
          await team.kubectl("delete", "cde", "a");
          assert.deepEqual([await next(), await next()], ["MODIFIED a", "DELETED a"]);
        } finally {
          child.kill();
          await once(child, "exit");
        }
      });

      test("without poduid the live pod's is taken", async () => {
        const team = await namespace();
        const pod = {
          apiVersion: "v1",
          kind: "Pod",
          metadata: { name: "web-0" },
          spec: { containers: [{ name: "c", image: "i" }] },
        };
        const { uid } = (await team.send("create", pod)).metadata;
        assert.equal((await team.send("create", endpoint({ name: "web-0" }, {})))["spec"].poduid, uid);
        assert.equal(
          (await team.send("create", endpoint({ generateName: "x-" }, { podname: "web-0" })))["spec"].poduid,
          uid,
        );
        assert.match(
          await team.sendRefusal("create", endpoint({ name: "web-1" }, {})),
          /NotFound.*pods "web-1" not found/,
        );
      });

      test("a namespace takes its endpoints with it, and nothing is made while it goes", async () => {
        const team = await namespace();
        await team.send("create", endpoint({ name: "a" }));
        const holder = {
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata: { name: "holder", finalizers: ["example.com/hold"] },
        };
        await team.send("create", holder); // it keeps the namespace from going at once
        await cluster.kubectl("delete", "namespace", team.name, "--wait=false");
        assert.match(
          await team.sendRefusal("create", endpoint({ name: "b" })),
          /Forbidden.*because it is being terminated/,
        );
        await eventually(async () => assert.match(await team.refusal("get", "cde", "a"), /NotFound/));
        await team.kubectl("patch", "configmap", "holder", "--type=merge", "-p", '{"metadata":{"finalizers":null}}');
        await cluster.kubectl("wait", "--for=delete", `namespace/${team.name}`, "--timeout=60s");
        assert.match(await team.sendRefusal("create", endpoint({ name: "b" })), /NotFound.*namespaces .* not found/);
      });
    });

  test("api-resources lists both versions of the group", async () => {
    const lines = await cluster.kubectl("api-resources", "--api-group=coredump.fujitsu.com", "--no-headers");
    assert.deepEqual(
      lines
        .trim()
        .split("\n")
        .map((line) => line.split(/ +/).join(" ")),
      [
        "coredumpendpoints cde coredump.fujitsu.com/v1alpha1 true CoredumpEndpoint",
        "coredumpquotas corequota coredump.fujitsu.com/v1 true CoredumpQuota",
        "coredumps core coredump.fujitsu.com/v1 true Coredump",
      ],
    );
  });

  test("discovery in its older form says the same", async () => {
    const { resources } = JSON.parse(await cluster.kubectl("get", "--raw", `/apis/${API}`));
    assert.deepEqual(
      resources.map(({ name, verbs }: { name: string; verbs: string[] }) => `${name}: ${verbs.join(" ")}`),
      [
        "coredumpendpoints: create delete deletecollection get list patch update watch",
        "coredumpendpoints/dump: get",
        "coredumpendpoints/status: get patch update",
        "coredumps/dump: get",
      ],
    );
  });

  test("explain tells of the fields", async () => {
    await eventually(async () => {
      assert.match(
        await cluster.kubectl("explain", "cde.spec.poduid"),
        /FIELD: poduid <string>[\s\S]*which may be gone/,
      );
    });
    assert.match(await cluster.kubectl("explain", "cde", "--recursive"), /conditions\t<\[\]Object>/);
    const { definitions } = JSON.parse(await cluster.kubectl("get", "--raw", "/openapi/v2"));
    assert.ok("com.fujitsu.coredump.v1alpha1.CoredumpEndpoint" in definitions);
  });

  test("an owner's deletion deletes it, in the foreground too", async () => {
    const team = await namespace();
    const owner = await team.send("create", { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "owner" } });
    const reference = { apiVersion: "v1", kind: "ConfigMap", name: "owner", uid: owner.metadata["uid"] };
    await team.send("create", endpoint({ name: "owned", ownerReferences: [reference] }));
    await team.kubectl("delete", "configmap", "owner");
    await eventually(async () => assert.match(await team.refusal("get", "cde", "owned"), /NotFound/));
    await team.send("create", endpoint({ name: "alone" }));
    await team.kubectl("delete", "cde", "alone", "--cascade=foreground", "--timeout=60s");
    assert.match(await team.refusal("get", "cde", "alone"), /NotFound/);
  });

  const run = async (args: string[], env: NodeJS.ProcessEnv) => {
    const child = spawn(KUBECTL, args, { stdio: "ignore", env: { ...process.env, ...env } });
    assert.deepEqual((await once(child, "exit"))[0], 0);
  };

  const file = async (object: object): Promise<string> => {
    const path = join(cluster.folder, "object.json");
    writeFileSync(path, JSON.stringify(object));
    return path;
  };
});
