/** A kubelet's root with one container's sub-path mount, as a kubelet leaves it, and a core to deliver. Needs root. */
import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdirSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DeliveryProcesses } from "../../../src/node/delivery/delivery-process.ts";
import type { DeliveryJob } from "../../../src/node/delivery/job.ts";
import { ROOT } from "../../support/paths.ts";
import { tempFileSystem } from "../../support/tmp.ts";

export const NAME = "core_nginx_20261121T072103512Z_111122223333";
export const HIDDEN = `.${NAME}.part`;
/** Data, a hole, data, and a hole at the end. */
export const CORE_BYTES = 6 << 20;

export interface Volume extends Disposable {
  readonly job: DeliveryJob;
  /** What the container sees as /var/coredump; on the claim, beside what else the tenant has there. */
  readonly dir: string;
  /** The kubelet's own path of it. */
  readonly mount: string;
  /** Scratch on the node's disk. */
  readonly node: string;
  core(): Buffer;
  files(): string[];
  unmount(): void;
}

/** The command of the agent's deliveries, behind `before`. */
export const deliverCommand = (...before: readonly string[]): string[] => [
  ...before,
  process.execPath,
  "--disable-warning=ExperimentalWarning",
  join(ROOT, "src/main.ts"),
  "deliver",
];

export const errands = (...before: readonly string[]): DeliveryProcesses =>
  new DeliveryProcesses(deliverCommand(...before));

export const deliver = (at: Volume, change: Partial<DeliveryJob> = {}, ...before: readonly string[]) =>
  errands(...before).send({ ...at.job, ...change }, new AbortController().signal);

/** @param mounting what to mount as the claim's volume: arguments of mount(8) before the folder */
export function volume(mounting = (_node: string) => tmpfs("64M")): Volume {
  const node = tempFileSystem(256n << 20n); // a lazy unmount takes with it what is mounted below
  const at = (...names: string[]) => join(node.path, ...names);
  const [claim, kubeletRoot] = [at("claim"), at("kubelet")];
  const mount = join(kubeletRoot, "pods/uid-1/volume-subpaths/pv-1/app/1");
  for (const dir of [claim, mount]) mkdirSync(dir, { recursive: true });
  execFileSync("mount", [...mounting(node.path), claim]);
  const dir = join(claim, "web-0/app");
  mkdirSync(dir, { recursive: true });
  execFileSync("mount", ["--bind", dir, mount]);
  writeCore(at("core"));
  const job: DeliveryJob = {
    core: at("core"),
    coreBytes: CORE_BYTES,
    name: NAME,
    mount: { kubeletRoot, podUid: "uid-1", container: "app", index: 1 },
    ids: { uid: 1000, gid: 1001, groups: [] },
    mapped: false,
  };
  return {
    ...{ job, dir, mount, node: node.path },
    core: () => readFileSync(job.core),
    files: () => readdirSync(dir).sort(),
    unmount: () => execFileSync("umount", [mount]),
    [Symbol.dispose]: () => node[Symbol.dispose](),
  };
}

export const tmpfs = (size: string): string[] => ["-t", "tmpfs", "-o", `mode=0755,size=${size}`, "claim"];

function writeCore(path: string): void {
  const fd = openSync(path, "wx", 0o600);
  writeSync(fd, Buffer.alloc(4096 * 3, 0x55), 0, undefined, 0);
  writeSync(fd, Buffer.alloc(1 << 20, 0x66), 0, undefined, 3 << 20);
  ftruncateSync(fd, CORE_BYTES);
  closeSync(fd);
}
