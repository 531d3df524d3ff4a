import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { criSockets, dockerHosts } from "../../../src/node/identity/places.ts";
import { tempDir } from "../../support/tmp.ts";

test("criSockets() and dockerHosts() find what exists in the node's root, wherever that is mounted", () => {
  using node = tempDir();
  for (const socket of ["run/crio/crio.sock", "run/docker.sock"]) {
    mkdirSync(join(node.path, socket, ".."), { recursive: true });
    writeFileSync(join(node.path, socket), "");
  }
  const places = { criEndpoint: undefined, dockerHost: undefined, hostRoot: node.path };
  assert.deepEqual(criSockets(places), [join(node.path, "run/crio/crio.sock")]);
  assert.deepEqual(dockerHosts(places), [join(node.path, "run/docker.sock")]);
});

test("criSockets() and dockerHosts() ask what was named, and nothing else", () => {
  const named = { criEndpoint: "unix:///x/cri.sock", dockerHost: "tcp://there:2375" };
  assert.deepEqual(criSockets(named), ["/x/cri.sock"]);
  assert.deepEqual(dockerHosts(named), ["tcp://there:2375"]);
  const mounted = { criEndpoint: "/x/cri.sock", dockerHost: "unix:///x/docker.sock", hostRoot: "/host" };
  assert.deepEqual(criSockets(mounted), ["/host/x/cri.sock"]);
  assert.deepEqual(dockerHosts(mounted), ["/host/x/docker.sock"]);
});
