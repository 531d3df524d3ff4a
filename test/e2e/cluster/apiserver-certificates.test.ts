/** Certificates and authorities that are replaced while the aggregated API serves. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { API, ApiServer, askStraight, credentialsOf, frontProxyOf, makeCertificate } from "../../support/apiserver.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { eventually } from "../../support/eventually.ts";
import type { User } from "../../support/kubectl.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "cluster");

describe("the aggregated API's certificates", { skip }, () => {
  let cluster: Cluster;
  let team: User;
  let path: string;

  before(async () => {
    cluster = await startCluster();
    const namespace = await cluster.namespace();
    team = cluster.in(namespace);
    path = `/apis/${API}/namespaces/${namespace}/coredumpendpoints`;
  });
  after(async () => await cluster?.[Symbol.asyncDispose]());

  const endpoint = (name: string) => ({
    ...{ apiVersion: API, kind: "CoredumpEndpoint", metadata: { name } },
    spec: { poduid: "u-1" },
  });

  test("its certificate is replaced under load, and nobody notices", async () => {
    await using server = await ApiServer.start(cluster, { name: "rotated" });
    await team.send("create", endpoint("a"));
    const first = await serialOf(server);
    const failures: unknown[] = [];
    let isOver = false;
    const load = Array.from({ length: 4 }, async (_, index) => {
      while (!isOver) {
        const asked =
          index % 2 === 0
            ? askStraight(server, path, credentialsOf(cluster))
            : team.kubectl("get", "cde", "-o", "name").then(() => ({ status: 200 }));
        await asked
          .then(({ status }) => status === 200 || failures.push(status))
          .catch((error) => failures.push(error));
      }
    });
    await makeCertificate(cluster, server.files);
    await eventually(async () => assert.notEqual(await serialOf(server), first)).finally(() => {
      isOver = true;
    });
    await Promise.all(load);
    assert.deepEqual(failures, []);
    await team.kubectl("delete", "cde", "--all");
  });

  test("a certificate that is half written is told of, and the one before serves on", async () => {
    await using server = await ApiServer.start(cluster, { name: "broken" });
    const first = await serialOf(server);
    execFileSync("truncate", ["-s", "100", server.files.cert]);
    await eventually(() => assert.match(server.said, /Cannot use .*broken.crt/));
    assert.equal(await serialOf(server), first);
    assert.equal((await askStraight(server, "/readyz")).status, 200); // the one before serves as well
    await makeCertificate(cluster, server.files);
    await eventually(async () => assert.notEqual(await serialOf(server), first));
  });

  test("a second front proxy's authority counts as soon as the cluster names it", async () => {
    await using server = await ApiServer.start(cluster, { name: "authority" });
    const pki = join(cluster.folder, "pki");
    const made = { cert: join(pki, "second-ca.crt"), key: join(pki, "second-ca.key") };
    const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe" });
    openssl("req", "-x509", "-new", ...ec, "-subj", "/CN=second", "-keyout", made.key, "-out", made.cert);
    const [key, csr, crt] = ["key", "csr", "crt"].map((end) => join(pki, `second-proxy.${end}`)) as [
      string,
      string,
      string,
    ];
    openssl("req", "-new", ...ec, "-subj", "/CN=front-proxy", "-keyout", key, "-out", csr);
    openssl("x509", "-req", "-in", csr, "-CA", made.cert, "-CAkey", made.key, "-days", "1", "-out", crt);
    const headers = { "x-remote-user": "admin", "x-remote-group": "system:masters" };
    const proxy = { cert: readFileSync(crt), key: readFileSync(key), headers };
    assert.equal((await askStraight(server, path, proxy)).status, 401);
    const map = ["configmap", "extension-apiserver-authentication"];
    const system = cluster.in("kube-system");
    const { data } = await system.get(...map);
    const both = {
      data: { "requestheader-client-ca-file": data["requestheader-client-ca-file"] + readFileSync(made.cert, "utf8") },
    };
    await system.kubectl("patch", ...map, "--type=merge", "-p", JSON.stringify(both));
    await eventually(async () => assert.equal((await askStraight(server, path, proxy)).status, 200));
    assert.equal((await askStraight(server, path, { ...frontProxyOf(cluster), headers })).status, 200);
  });

  async function serialOf({ url, ca }: ApiServer): Promise<string> {
    const { hostname: host, port } = new URL(url);
    const socket = connectTls({ host, port: Number(port), ca });
    await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  }
});
