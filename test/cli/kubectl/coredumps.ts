/** Coredumps as the API has them: one of each kind that looks different. */
import type { Coredump } from "../../../src/kube/coredump.ts";

export const NOW = new Date("2026-11-21T07:21:15.600Z");
const SHA256 = "4be0".padEnd(64, "0");

/** Saved and complete, unless it is said otherwise. */
export function coredump(name: string, changes: { spec?: Partial<Coredump["spec"]>; status?: object } = {}): Coredump {
  return {
    metadata: {
      name,
      namespace: "shop",
      uid: `uid-${name}`,
      resourceVersion: "7",
      creationTimestamp: "2026-11-21T07:21:04Z",
    },
    spec: {
      id: `019e0000-0000-7000-8000-${name.slice(-12)}`,
      node: "node-1",
      pod: "web-0",
      containerName: "nginx",
      attempt: 4,
      image: "registry.example/nginx:1.27",
      imageDigest: `sha256:${"9f1c".padEnd(64, "0")}`,
      pid: 31605,
      filename: "nginx",
      exe: "/usr/sbin/nginx",
      signal: { number: 11, name: "SIGSEGV" },
      processUptimeMs: 11_520_000,
      dumptime: "2026-11-21T07:21:03.512Z",
      volume: "s3://cores/prod",
      size: "224395264",
      ...changes.spec,
    },
    status: {
      state: "Saved",
      complete: true,
      logicalSize: "2254857830",
      expectedSize: "2254857830",
      bundleSize: "42991616",
      checksum: `sha256:${SHA256}`,
      key: "shop/5d0c8a3e/nginx/nginx-20261121T072103512Z-31605-3f9c2a71b0de.tar.zst",
      signalCode: 1,
      faultAddress: "0x0",
      heldMs: 310,
      threads: [{ tid: 14, name: "worker-3", crashed: true }],
      threadCount: 33,
      ...changes.status,
    },
  };
}

const nothing = {
  logicalSize: undefined,
  expectedSize: undefined,
  checksum: undefined,
  complete: undefined,
  bundleSize: undefined,
  key: undefined,
};

export const COREDUMPS: readonly Coredump[] = [
  coredump("web-0-nginx-3f9c2a71b0de"),
  coredump("etl-x7k2p-java-90b2c4e1d7aa", {
    spec: {
      pod: "etl-x7k2p",
      containerName: "java",
      filename: "java",
      node: "node-3",
      size: "6Gi",
      dumptime: "2026-11-21T07:18:15.000Z",
    },
    status: {
      ...nothing,
      state: "Denied",
      message: "Quota exceed, required 9Gi, but default has only 4Gi",
      repeats: 12,
    },
  }),
  coredump("web-1-sshd-77aa01c2f3b4", {
    spec: { size: 0, dumptime: "2026-11-20T01:00:00.000Z" },
    status: { state: "Restricted", reason: "NotDumpable" },
  }),
  coredump("web-2-cut-b3b3b3b3b3b3", {
    status: { complete: false, logicalSize: "1048576", reason: "Truncated", message: "the disk was full" },
  }),
  coredump("web-3-new-c4c4c4c4c4c4", { status: { ...nothing, state: undefined, threads: undefined } }),
];

/** What a crashed process may choose. */
export const HOSTILE: Coredump = coredump("web-4-x-d5d5d5d5d5d5", {
  spec: {
    filename: "\x1b[31mred\x07",
    exe: "/a\nb",
    pod: "p\u202ed",
    image: "i\x9b",
    volume: "v\x1b]0;x\x07",
    containerName: "\u200b漢",
  },
  status: {
    message: "m\x1b[2J",
    threads: [{ tid: 1, name: "t\x1b[A", crashed: true }],
    threadCount: 2,
    faultAddress: "\x1b",
  },
});
/** Nothing but what every object has. */
export const BARE: Coredump = {
  metadata: { name: "bare", namespace: "shop", uid: "u", resourceVersion: "1" },
  spec: {},
};
