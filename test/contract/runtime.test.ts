import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { candidatesFrom } from "../../src/node/identity/cgroup.ts";
import { CriRuntime } from "../../src/node/identity/cri.ts";
import { DockerRuntime } from "../../src/node/identity/docker.ts";
import { owns } from "../../src/node/identity/own-cgroup.ts";
import { assertRuntimeContract, type Known } from "./runtime.ts";
import { type CriAnswers, deserted, type Fake, fakeCri, fakeDocker, fakeServer } from "./runtime-fakes.ts";

const ID = "06ad9f946097e3c8ce2f7fb0b5f71cb4cdeb39a2c7df68548d00c1946bc24bf9";
const SANDBOX = "1577f81bb6ba1332e7153d8bab33c0390efddf4a512f785bb9ca26a77522b7ed";
const DIGEST = `sha256:${"2a".repeat(32)}`;
const POD = { namespace: "shop", name: "web-0", uid: "8446fcc3-9d5a-46e3-ba0c-9de50beb4936" };
const CGROUP = `/kubepods/besteffort/pod${POD.uid}/${ID}`;
const KUBELETS = {
  "io.kubernetes.pod.namespace": POD.namespace,
  "io.kubernetes.pod.name": POD.name,
  "io.kubernetes.pod.uid": POD.uid,
  "io.kubernetes.container.name": "app",
};
const NOT_FOUND = { code: 5, details: "not found" };
const forever = (): AbortSignal => new AbortController().signal;

/** containerd's answers. */
const CRI: CriAnswers = {
  Version: () => ({ runtimeName: "containerd" }),
  ContainerStatus: ({ containerId }) =>
    containerId === ID
      ? {
          status: {
            id: ID,
            metadata: { name: "app", attempt: 3 },
            image: { image: "sha256:00", userSpecifiedImage: "nginx:1" },
            imageRef: `docker.io/library/nginx@${DIGEST}`,
            labels: KUBELETS,
            logPath: "/var/log/pods/x/app/3.log",
          },
          info: {
            info: JSON.stringify({
              sandboxID: SANDBOX,
              config: { envs: [{ key: "PASSWORD", value: "secret" }] },
              runtimeSpec: { process: { env: ["PASSWORD=secret"] }, linux: { cgroupsPath: CGROUP } },
            }),
          },
        }
      : NOT_FOUND,
  PodSandboxStatus: ({ podSandboxId }) =>
    podSandboxId === SANDBOX
      ? { status: { id: SANDBOX, metadata: { ...POD }, labels: { app: "web", ...KUBELETS } } }
      : NOT_FOUND,
  ListContainers: () => ({ containers: [{ id: ID, podSandboxId: SANDBOX }] }),
  ImageStatus: () => ({ image: { id: "sha256:00", repoDigests: [`nginx@${DIGEST}`] } }),
};
const KNOWN: Known = {
  id: ID,
  cgroup: `0::${CGROUP}\n`,
  want: { owner: "pod", pod: POD, name: "app", attempt: 3, image: "nginx:1", labels: { app: "web" } },
};

const DOCKER = {
  Id: ID,
  Name: "/web",
  Image: DIGEST,
  RestartCount: 1,
  LogPath: "/log",
  Config: { Image: "nginx:1", Labels: { team: "shop" }, Env: ["PASSWORD=secret"] },
  HostConfig: { CgroupParent: "" },
};
const dockerPod = {
  ...DOCKER,
  Config: {
    ...DOCKER.Config,
    Labels: {
      ...KUBELETS,
      "io.kubernetes.sandbox.id": SANDBOX,
      "annotation.io.kubernetes.container.restartCount": "3",
    },
  },
  HostConfig: { CgroupParent: `/kubepods/besteffort/pod${POD.uid}` },
};
const answering = (container: object) => (path: string) => {
  if (path === `/containers/${ID}/json`) return { body: container };
  if (path === `/containers/${SANDBOX}/json`) {
    return {
      body: { Id: SANDBOX, Config: { Labels: { ...KUBELETS, app: "web", "io.kubernetes.container.name": "POD" } } },
    };
  }
  return path.startsWith("/images/") ? { body: { Id: DIGEST, RepoDigests: [] } } : undefined;
};

test("a CRI fake keeps the contract", async (t) => {
  await using fake = await fakeCri(CRI);
  await assertRuntimeContract(t, new CriRuntime(fake.socket), KNOWN);
});

test("a Docker fake keeps the contract", async (t) => {
  await using fake = await fakeDocker(answering(DOCKER));
  const want = {
    owner: "docker",
    pod: null,
    name: "web",
    attempt: 1,
    image: "nginx:1",
    labels: { team: "shop" },
  } as const;
  await assertRuntimeContract(t, new DockerRuntime(`unix://${fake.socket}`), {
    id: ID,
    cgroup: `0::/docker/${ID}\n`,
    want,
  });
});

test("a Docker fake with a kubelet's pod keeps the contract: labels from its sandbox", async (t) => {
  await using fake = await fakeDocker(answering(dockerPod));
  await assertRuntimeContract(t, new DockerRuntime(fake.socket), KNOWN);
});

test("CriRuntime.inspect() finds the sandbox of a run-time that gives no info (cri-dockerd)", async () => {
  const ContainerStatus = (request: Record<string, unknown>) => ({ ...CRI["ContainerStatus"]?.(request), info: {} });
  await using fake = await fakeCri({ ...CRI, ContainerStatus });
  const facts = (await new CriRuntime(fake.socket).inspect(ID, forever())) ?? assert.fail();
  assert.deepEqual([facts.pod, facts.labels?.["app"], facts.cgroupPath], [POD, "web", null]);
});

test("CriRuntime.inspect() names the pod of a sandbox's own process", async () => {
  await using fake = await fakeCri(CRI);
  const facts = (await new CriRuntime(fake.socket).inspect(SANDBOX, forever())) ?? assert.fail();
  assert.deepEqual([facts.owner, facts.pod, facts.container.name], ["pod", POD, null]);
});

test("DockerRuntime.inspect() believes Kubernetes labels under that pod's cgroup alone", async () => {
  const outside = { ...dockerPod, HostConfig: { CgroupParent: "/mine" } };
  await using fake = await fakeDocker(answering(outside));
  const facts = (await new DockerRuntime(fake.socket).inspect(ID, forever())) ?? assert.fail();
  assert.deepEqual([facts.owner, facts.pod, facts.container.name], ["docker", null, "web"]);
  assert.equal(facts.labels?.["app"], undefined);

  await using another = await fakeDocker(answering(dockerPod));
  const pods = (await new DockerRuntime(another.socket).inspect(ID, forever())) ?? assert.fail();
  const [seen] = candidatesFrom(`0::/kubepods/pod11111111-9d5a-46e3-ba0c-9de50beb4936/${ID}\n`);
  assert.equal(seen && owns(pods, seen), false);
});

const huge = "x".repeat(5 << 20);
const hang = (): Promise<Fake> => fakeServer(() => {});
const badDays: { on: string; cri?: () => Promise<Fake>; docker?: () => Promise<Fake>; code: string; says: RegExp }[] = [
  { on: "refuses", cri: deserted, docker: deserted, code: "RUNTIME_UNAVAILABLE", says: /nothing listens there$/ },
  {
    on: "hangs up at once",
    cri: () => fakeServer((connection) => connection.destroy()),
    docker: () => fakeServer((connection) => connection.destroy()),
    code: "RUNTIME_UNAVAILABLE",
    says: /connection|hung up/,
  },
  {
    on: "talks nonsense",
    cri: () => fakeServer((connection) => connection.write("\0\xff\nnonsense ".repeat(100))),
    code: "RUNTIME_UNAVAILABLE",
    says: /the connection failed/,
  },
  {
    on: "talks nonsense",
    docker: () => fakeServer((connection) => connection.write("nonsense\n".repeat(100))),
    code: "RUNTIME_ANSWER_INVALID",
    says: /it does not speak HTTP$/,
  },
  {
    on: "does not speak CRI v1",
    cri: () => fakeCri({}),
    code: "RUNTIME_UNAVAILABLE",
    says: /it does not speak CRI v1/,
  },
  {
    on: "fails",
    cri: () => fakeCri({ ...CRI, ContainerStatus: () => ({ code: 2, details: "broken" }) }),
    code: "RUNTIME_UNAVAILABLE",
    says: /it failed \(broken\)$/,
  },
  {
    on: "fails",
    docker: () => fakeDocker(() => ({ status: 500, body: { message: "broken" } })),
    code: "RUNTIME_UNAVAILABLE",
    says: /it answered 500$/,
  },
  {
    on: "answers without end",
    cri: () => fakeCri({ ...CRI, ContainerStatus: () => ({ info: { info: huge } }) }),
    docker: () => fakeDocker(() => ({ body: huge })),
    code: "RUNTIME_ANSWER_INVALID",
    says: /its answer is too large/,
  },
  {
    on: "answers something else than JSON",
    docker: () => fakeDocker(() => ({ body: "<html>" })),
    code: "RUNTIME_ANSWER_INVALID",
    says: /its answer is not JSON$/,
  },
];
const runtimes = {
  cri: (socket: string) => new CriRuntime(socket),
  docker: (socket: string) => new DockerRuntime(socket),
};
for (const kind of ["cri", "docker"] as const) {
  for (const { on, [kind]: start, code, says } of badDays) {
    if (!start) continue;
    test(`inspect() of a ${kind} run-time that ${on} rejects with ${code}`, async () => {
      await using fake = await start();
      await assert.rejects(runtimes[kind](fake.socket).inspect(ID, forever()), (error: Error & { code?: string }) => {
        assert.match(error.message, says);
        assert.equal(error.code, code);
        assert.ok(error.message.includes(fake.socket));
        return true;
      });
    });
  }

  test(`inspect() of a ${kind} run-time that is absent says so`, async () => {
    const asked = runtimes[kind]("/nonexistent/x.sock").inspect(ID, forever());
    await assert.rejects(asked, {
      code: "RUNTIME_UNAVAILABLE",
      message: /\/nonexistent\/x\.sock: there is no such socket$/,
    });
  });

  test(`inspect() of a ${kind} run-time that hangs ends with the signal`, async () => {
    await using fake = await hang();
    const stop = new AbortController();
    const asked = runtimes[kind](fake.socket).inspect(ID, stop.signal);
    setTimeout(() => stop.abort(new Error("enough")), 50);
    await assert.rejects(asked, /enough/);
  });
}

test("DockerRuntime.inspect() refuses an address that is none of Docker's", async () => {
  await assert.rejects(new DockerRuntime("ssh://somewhere").inspect(ID, forever()), { code: "SETTINGS_INVALID" });
});

test("inspect() takes any well-formed answer", async () => {
  let info = "";
  await using cri = await fakeCri({
    ...CRI,
    ContainerStatus: () => ({ info: { info } }),
    PodSandboxStatus: () => ({}),
  });
  let body: unknown;
  await using docker = await fakeDocker(() => ({ body: JSON.stringify(body) ?? "null" }));
  const keys = fc.constantFrom(
    "Id",
    "Config",
    "Labels",
    "HostConfig",
    "Name",
    "runtimeSpec",
    "linux",
    "sandboxID",
    "__proto__",
  );
  const json = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, fc.jsonValue(), fc.dictionary(keys, tie("value")), fc.constant(ID)),
  })).value;
  await fc.assert(
    fc.asyncProperty(json, async (value) => {
      [info, body] = [JSON.stringify(value) ?? "", value];
      await Promise.all([
        new CriRuntime(cri.socket).inspect(ID, forever()),
        new DockerRuntime(docker.socket).inspect(ID, forever()),
      ]);
    }),
    { numRuns: 40 },
  );
});
