/** The webhook's certificates with a real API server as the caller: as a Service, with rotation, with mutual TLS. */
import assert from "node:assert/strict";
import type { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { connect, type KubeHttp } from "../../../src/kube/http.ts";
import { collection } from "../../../src/kube/objects.ts";
import { type Kept, renewed } from "../../../src/webhook/pki/renewal.ts";
import { clientOf } from "../../support/client-certificate.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { eventually } from "../../support/eventually.ts";
import type { Resource, User } from "../../support/kubectl.ts";
import { freePort } from "../../support/role-process.ts";
import { needs } from "../../support/set-up.ts";
import { type TempDir, tempDir } from "../../support/tmp.ts";
import { objectsIn, systemNamespace, Webhook } from "../../support/webhook.ts";

const skip = needs("root", "cluster");
const NAME = "coredump-webhook.coredump-system.svc";
const DAY_MS = 24 * 3600_000;
const CONFIGURATION = "mutatingwebhookconfiguration/coredump-webhook";

describe("webhook", { skip }, () => {
  let folder: TempDir;
  let client: ReturnType<typeof clientOf>;
  let cluster: Cluster;
  let http: KubeHttp;
  let itself: User;
  let namespace: string;

  before(async () => {
    folder = tempDir();
    client = clientOf(folder.path, "apiserver");
    cluster = await startCluster({ apiserverFlags: [`--admission-control-config-file=${callingAs(client)}`] });
    http = await connect(cluster.kubeconfig);
    await cluster.send("apply", systemNamespace);
    for (const role of objectsIn("install/rbac/webhook.yaml")) await cluster.send("apply", role);
    itself = await cluster.serviceAccount("coredump-system", "coredump-webhook");
    namespace = await cluster.namespace();
  });
  after(async () => {
    await cluster?.[Symbol.asyncDispose]();
    folder?.[Symbol.dispose]();
  });

  /** How an API server is told with which certificate to call webhooks. @returns the path of its file */
  function callingAs({ cert, key }: { cert: string; key: string }): string {
    const [file, kubeconfig] = [join(folder.path, "admission.json"), join(folder.path, "calling.kubeconfig")];
    const data = (text: string) => Buffer.from(text).toString("base64");
    const user = { "client-certificate-data": data(cert), "client-key-data": data(key) };
    writeFileSync(kubeconfig, JSON.stringify({ apiVersion: "v1", kind: "Config", users: [{ name: "*", user }] }));
    const apiVersion = "apiserver.config.k8s.io/v1";
    const configuration = { apiVersion, kind: "WebhookAdmissionConfiguration", kubeConfigFile: kubeconfig };
    const plugins = [{ name: "MutatingAdmissionWebhook", configuration }];
    writeFileSync(file, JSON.stringify({ apiVersion, kind: "AdmissionConfiguration", plugins }));
    return file;
  }

  /** As service.yaml has it, but for the pods behind the Service: processes of ours at these ports. */
  async function asService(...ports: readonly number[]): Promise<void> {
    for (const object of objectsIn("install/webhook/service.yaml")) {
      if (!["MutatingWebhookConfiguration", "Service"].includes(object.kind)) continue;
      delete object["spec"]?.selector;
      // Else a call that failed would not be seen.
      if (object["webhooks"]) object["webhooks"][0].failurePolicy = "Fail";
      await cluster.send("apply", object);
    }
    await cluster.in("coredump-system").kubectl("delete", "endpointslices", "--all");
    for (const port of ports)
      await cluster.send("create", {
        ...{ apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", addressType: "IPv4" },
        metadata: {
          ...{ name: `coredump-webhook-${port}`, namespace: "coredump-system" },
          labels: { "kubernetes.io/service-name": "coredump-webhook" },
        },
        ports: [{ name: "https", port, protocol: "TCP" }],
        endpoints: [{ addresses: [cluster.address], conditions: { ready: true } }],
      });
  }

  const replica = (port: number, ...flags: readonly string[]) =>
    Webhook.start(port, "--self-signed", "--kubeconfig", itself.kubeconfig, ...flags);

  /** One pod by the API server and its webhook. @throws when the call failed */
  async function call(): Promise<void> {
    const metadata = { name: "web-0", annotations: { "coredump.fujitsu.com/pvcname": "cores" } };
    const body = { apiVersion: "v1", kind: "Pod", metadata, spec: { containers: [{ name: "app", image: "x" }] } };
    const path = collection("v1", "pods", namespace);
    const pod = await http.json<Resource>({ verb: "create", resource: "pods", path, query: { dryRun: "All" }, body });
    assert.deepEqual(pod["spec"].nodeSelector, { coredump: "true" });
  }

  async function servedAt(port: number): Promise<X509Certificate> {
    const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false });
    await once(socket, "secureConnect");
    const certificate = socket.getPeerX509Certificate() ?? assert.fail("it shows none");
    socket.destroy();
    return certificate;
  }

  const authority = async (): Promise<string> => {
    const { webhooks } = await cluster.get(CONFIGURATION);
    return Buffer.from(webhooks[0].clientConfig.caBundle ?? "", "base64").toString();
  };
  const secretData = async (): Promise<Record<string, string>> =>
    (await cluster.in("coredump-system").get("secret", "coredump-webhook"))["data"];
  const forget = () =>
    cluster.in("coredump-system").kubectl("delete", "secret", "coredump-webhook", "--ignore-not-found");

  /** Pods all the time. @returns how many, when it is disposed of; what failed is thrown */
  function calling() {
    const state = { calls: 0, failures: [] as string[], going: true };
    const working = (async () => {
      while (state.going) {
        await call().catch(({ message }) => state.failures.push(message));
        state.calls++;
      }
    })();
    return async () => {
      state.going = false;
      await working;
      assert.deepEqual(state.failures, []);
      assert.ok(state.calls > 10, `only ${state.calls} calls`);
    };
  }

  test("--self-signed: two replicas behind a Service, started at once, agree on one certificate", async () => {
    const ports = [await freePort(), await freePort()] as const;
    await asService(...ports);
    await using one = await replica(ports[0]);
    await using two = await replica(ports[1]);
    await Promise.all([one.ready(), two.ready()]);
    const shown = await Promise.all(ports.map(servedAt));
    assert.equal(shown[0]?.fingerprint256, shown[1]?.fingerprint256);
    assert.ok(shown[0]?.checkHost(NAME));
    await eventually(call); // the API server has read the new caBundle
    for (let calls = 0; calls < 20; calls++) await call();
    for (const each of [one, two]) {
      assert.equal((await each.ask("/healthz")).status, 200);
      assert.deepEqual(
        each.log.filter(({ level, code }) => level > 30 && code !== "API_CONFLICT"),
        [],
      );
    }
    const counted = await Promise.all(
      [one, two].map((each) => each.metric('coredump_webhook_reviews_total{verdict="patched"}')),
    );
    assert.ok(counted.reduce((sum, count) => sum + count) > 20, `${counted}`);
  });

  test("--self-signed: a certificate and a CA that end soon are renewed, and no call fails meanwhile", async () => {
    const ports = [await freePort(), await freePort()] as const;
    await asService(...ports);
    const nowMs = Date.now();
    const old = renewed(renewed({}, [NAME], nowMs - 3300 * DAY_MS) ?? {}, [NAME], nowMs - 80 * DAY_MS) as Kept;
    await forget();
    await cluster.send("create", {
      ...{ apiVersion: "v1", kind: "Secret", type: "kubernetes.io/tls" },
      metadata: { name: "coredump-webhook", namespace: "coredump-system" },
      stringData: old,
    });
    await using one = await replica(ports[0]);
    await using two = await replica(ports[1]);
    await Promise.all([one.ready(), two.ready()]);
    assert.match(await authority(), /(BEGIN CERTIFICATE.*){2}/s); // the former one, too
    await eventually(call);
    const end = calling();
    // Now the server certificate alone: both run, and see it at their next look.
    const { "ca.crt": ca, "ca.key": caKey } = Object.fromEntries(
      Object.entries(await secretData()).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]),
    );
    const short = renewed({ "ca.crt": ca ?? "", "ca.key": caKey ?? "" }, [NAME], nowMs - 70 * DAY_MS) as Kept;
    const before = (await servedAt(ports[0])).fingerprint256;
    const stringData = { "tls.crt": short["tls.crt"], "tls.key": short["tls.key"] };
    const secrets = cluster.in("coredump-system");
    await secrets.kubectl(
      "patch",
      "secret",
      "coredump-webhook",
      "--type=merge",
      "--patch",
      JSON.stringify({ stringData }),
    );
    for (const port of ports)
      await eventually(() =>
        // it looks every 10 s, then waits until callers know
        eventually(async () => {
          const { fingerprint256, validToDate } = await servedAt(port);
          assert.notEqual(fingerprint256, before);
          assert.ok(validToDate.getTime() > nowMs + 80 * DAY_MS);
        }),
      );
    await end();
    assert.equal((await servedAt(ports[0])).fingerprint256, (await servedAt(ports[1])).fingerprint256);
  });

  test("SIGTERM: no call fails while a replica ends", async () => {
    const ports = [await freePort(), await freePort()] as const;
    await asService(...ports);
    await using stays = await replica(ports[0]);
    await using goes = await replica(ports[1], "--grace", "5s");
    await Promise.all([stays.ready(), goes.ready()]);
    await eventually(call);
    const end = calling();
    const ended = goes.end("SIGTERM");
    await eventually(async () => assert.equal((await goes.ask("/readyz")).text, "ending\n"));
    await cluster.in("coredump-system").kubectl("delete", "endpointslice", `coredump-webhook-${ports[1]}`); // as the kubelet has it done
    assert.equal(await ended, 0);
    await end();
  });

  test("--self-signed: a Secret and a caBundle that somebody took away come back", async () => {
    const port = await freePort();
    await asService(port);
    await using webhook = await replica(port);
    await webhook.ready();
    await forget();
    const emptied = JSON.stringify([{ op: "remove", path: "/webhooks/0/clientConfig/caBundle" }]);
    await cluster.kubectl("patch", CONFIGURATION, "--type=json", "--patch", emptied);
    await eventually(() => eventually(call));
    assert.ok((await secretData())["tls.crt"]);
  });

  for (const [kind, rule, verb, resource] of [
    ["ClusterRole", 0, "get", "mutatingwebhookconfigurations"],
    ["ClusterRole", 0, "update", "mutatingwebhookconfigurations"],
    ["Role", 0, "create", "secrets"],
    ["Role", 1, "get", "secrets"],
    ["Role", 1, "update", "secrets"],
  ] as const)
    test(`without "${verb} ${resource}" it says which right is missing, and is well when it has it`, async () => {
      const port = await freePort();
      await asService(port);
      const role = objectsIn("install/rbac/webhook.yaml").find((each) => each.kind === kind) as Resource;
      const whole = structuredClone(role);
      role["rules"][rule].verbs = [...role["rules"][rule].verbs.filter((each: string) => each !== verb), "watch"];
      await cluster.send("apply", role);
      if (verb === "create") await forget();
      else if (resource === "secrets") await expiring();
      else
        await cluster.kubectl(
          "patch",
          CONFIGURATION,
          "--type=json",
          "--patch",
          '[{"op":"add","path":"/webhooks/0/clientConfig/caBundle","value":""}]',
        );
      await using webhook = await replica(port);
      await eventually(async () => {
        const told = webhook.log.find(({ code }) => code === "API_DENIED");
        assert.match(told?.msg ?? webhook.said, new RegExp(`cannot ${verb} resource "${resource}"`));
        const { status, text } = await webhook.ask("/readyz");
        assert.equal(status, 503);
        assert.match(text, new RegExp(`cannot ${verb} resource`));
      });
      await cluster.send("apply", whole);
      await eventually(() => eventually(call));
      await webhook.ready();
    });

  async function expiring(): Promise<void> {
    const short = renewed({}, [NAME], Date.now() - 80 * DAY_MS);
    await forget();
    await cluster.in("coredump-system").send("create", {
      ...{ apiVersion: "v1", kind: "Secret", metadata: { name: "coredump-webhook" }, stringData: short },
    });
  }

  test("files: a pair that is replaced is served, and no call fails meanwhile; mutual TLS as the API server does it", async () => {
    const port = await freePort();
    await asService(port);
    const files = ["tls.crt", "tls.key", "client-ca.crt"].map((name) => join(folder.path, name));
    const [certFile = "", keyFile = "", clientCaFile = ""] = files;
    const first = renewed({}, [NAME], Date.now()) as Kept;
    const second = renewed({ ...first, "tls.crt": "" }, [NAME], Date.now()) as Kept; // of the same CA
    const write = (kept: Kept) => {
      writeFileSync(certFile, kept["tls.crt"]);
      writeFileSync(keyFile, kept["tls.key"]);
    };
    write(first);
    writeFileSync(clientCaFile, client.ca);
    const caBundle = Buffer.from(first["ca.crt"]).toString("base64");
    const trust = JSON.stringify([{ op: "add", path: "/webhooks/0/clientConfig/caBundle", value: caBundle }]);
    await cluster.kubectl("patch", CONFIGURATION, "--type=json", "--patch", trust);
    const flags = ["--tls-cert-file", certFile, "--tls-private-key-file", keyFile, "--client-ca-file", clientCaFile];
    await using webhook = await Webhook.start(port, ...flags);
    await webhook.ready();
    await eventually(call);
    const end = calling();
    write(second);
    await eventually(() => assert.equal(webhook.log.filter(({ msg }) => msg === "Serving").length, 2));
    await call();
    await end();
    writeFileSync(clientCaFile, clientOf(folder.path, "stranger").ca); // now the API server is a stranger
    await eventually(() => assert.rejects(call(), /failed calling webhook/));
  });
});
