/** The aggregated API's server goes down: namespaces can be deleted all the same, and the API comes back with the server. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { API_SERVICE } from "../../../src/cluster/controller/apiservice.ts";
import { ApiServer, SYSTEM_NAMESPACE } from "../../support/apiserver.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { Controller } from "../../support/controller.ts";
import { eventually } from "../../support/eventually.ts";
import type { User } from "../../support/kubectl.ts";
import { ROOT } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";
import { stopProcess } from "../../support/stop.ts";

const skip = needs("root", "cluster", "binary");
const WATCHING = ["--watch-apiservice", "--apiservice-grace=2s"];

let cluster: Cluster;
let itself: User;

before(async () => {
  if (skip) return;
  cluster = await startCluster();
});
after(async () => await cluster?.[Symbol.asyncDispose]());

const registered = async () =>
  (await cluster.kubectl("get", "apiservices", "--output=name")).includes(
    `apiservice.apiregistration.k8s.io/${API_SERVICE}`,
  );
const is = (wanted: boolean) => eventually(async () => assert.equal(await registered(), wanted));
const deleted = async (namespace: string) =>
  await cluster.kubectl("delete", "namespace", namespace, "--wait", "--timeout=60s");

test("the controller takes the APIService away while its server is down, and puts it back", { skip }, async () => {
  await using server = await ApiServer.start(cluster);
  for (const file of ["controller", "watchdog"])
    await cluster.kubectl("apply", "-f", join(ROOT, `install/rbac/${file}.yaml`));
  itself = await cluster.serviceAccount(SYSTEM_NAMESPACE, "coredump-controller");
  await using controller = await Controller.start(itself.kubeconfig, ...WATCHING);
  await controller.leads();
  const [one, other] = [await cluster.namespace(), await cluster.namespace()];

  stopProcess(server.pid);
  await is(false);
  await deleted(one);
  await eventually(() => assert.match(controller.said, /APIService taken away/));
  assert.deepEqual(await controller.ask("/readyz"), { status: 200, text: "ok\n" });

  process.kill(server.pid, "SIGCONT");
  await is(true);
  await cluster.kubectl("wait", "--for=condition=Available", `apiservice/${API_SERVICE}`, "--timeout=60s");
  await eventually(() => cluster.in(other).kubectl("get", "coredumpendpoints"));
  await deleted(other);
});

test("what an admin took away stays away", { skip }, async () => {
  await using _server = await ApiServer.start(cluster);
  await using controller = await Controller.start(itself.kubeconfig, ...WATCHING);
  await controller.leads();
  await cluster.kubectl("delete", "apiservice", API_SERVICE);
  await new Promise((resolve) => setTimeout(resolve, 8000)); // it looks every five seconds
  assert.equal(await registered(), false);
});
