/** Real container engines for a test: started by the test bed, stopped with their scope. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { type ContainerSpec, Cri, type PodSpec } from "./cri.ts";
import { TESTBED, TESTBED_COMMAND } from "./paths.ts";

export const CRI_KINDS = ["containerd-1.6", "containerd-2"] as const;
export const ENGINE_KINDS = [...CRI_KINDS, "docker"] as const;
export type EngineKind = (typeof ENGINE_KINDS)[number];
/** How the engine names cgroups: plainly, as under systemd, or as it sees a node that has cgroup v2 alone. */
export type Cgroups = "cgroupfs" | "systemd" | "v2";

/** A pod with one container; Docker takes names, labels, user, namespaces and command of it. */
export type RunSpec = PodSpec & ContainerSpec;
/** A container that has ended. */
export interface Ran {
  readonly id: string;
  /** 139 is 128 + SIGSEGV. */
  readonly exitCode: number;
  readonly podUid?: string;
  readonly output: string;
}

export interface Engine extends AsyncDisposable {
  readonly kind: EngineKind;
  readonly folder: string;
  readonly socket: string;
  /** containerd: the state directory, beside the socket; docker: the data root. */
  readonly stateDir: string;
  /** Runs one container to its end, and leaves it there for whoever asks about it. */
  run(spec?: RunSpec): Promise<Ran>;
  /** The client of the engine: `ctr -n k8s.io` or `docker`. */
  client(...args: string[]): Promise<string>;
  /** Only a containerd has one. */
  readonly cri: Cri;
}

const exec = promisify(execFile);
let started = 0;

/** Starts an engine (0.3 s). `testbed reap` stops it if we are killed. */
export async function startEngine(kind: EngineKind, cgroups: Cgroups = "cgroupfs"): Promise<Engine> {
  const name = `${kind}-${process.pid}-${++started}`;
  const folder = join(TESTBED, "run", name);
  await exec(TESTBED_COMMAND, ["engine", "start", kind, name, cgroups], {
    env: { ...process.env, OWNER: `${process.pid}` },
  });
  const docker = kind === "docker";
  const socket = join(folder, "run", docker ? "docker.sock" : "containerd.sock");
  const cri = new Cri(socket);
  if (!docker) await cri.ready();
  const client = async (...args: string[]): Promise<string> =>
    (await exec(join(folder, "bin", docker ? "docker" : "ctr"), args)).stdout;
  return {
    kind,
    folder,
    socket,
    stateDir: join(folder, docker ? "data" : "run"),
    cri,
    client,
    run: (spec = {}) => (docker ? runInDocker(client, spec) : runInPod(cri, cgroups, spec)),
    async [Symbol.asyncDispose]() {
      cri[Symbol.dispose]();
      await exec(TESTBED_COMMAND, ["engine", "stop", name]);
    },
  };
}

const SLICE = "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod<uid>.slice";

async function runInPod(cri: Cri, cgroups: Cgroups, spec: RunSpec): Promise<Ran> {
  const pod = await cri.runPod(cgroups === "systemd" ? { cgroupParent: SLICE, ...spec } : spec);
  const id = await cri.runContainer(pod, spec);
  const { exitCode } = await cri.exit(id);
  return { id, exitCode, podUid: pod.uid, output: cri.log(pod, spec.container, spec.attempt) };
}

async function runInDocker(client: Engine["client"], spec: RunSpec): Promise<Ran> {
  const flags = [
    ...(spec.container ? ["--name", spec.container] : []),
    ...(spec.uid ? ["--user", `${spec.uid}`] : []),
    ...(spec.hostPid ? ["--pid", "host"] : []),
    ...(spec.cgroupParent ? ["--cgroup-parent", spec.cgroupParent] : []),
    ...Object.entries(spec.labels ?? {}).flatMap(([key, value]) => ["--label", `${key}=${value}`]),
    ...Object.entries(spec.mounts ?? {}).flatMap(([inside, outside]) => ["--volume", `${outside}:${inside}`]),
    ...["--network", spec.hostNetwork ? "host" : "none"],
  ];
  const image = spec.image ?? "localhost/testbed:1";
  const id = (await client("run", "--detach", ...flags, image, ...(spec.command ?? ["/bin/crash"]))).trim();
  const exitCode = Number(await client("wait", id));
  return { id, exitCode, output: await client("logs", id) };
}
