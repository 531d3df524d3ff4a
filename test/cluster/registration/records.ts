/** Records of pods' dumps: a plain one, and any that a hostile process could bring about. */
import fc from "fast-check";
import type { PodRecord } from "../../../src/cluster/registration/coredump.ts";
import { shortened } from "../../../src/domain/crash.ts";
import { blankRecord, type DumpRecord } from "../../../src/domain/dump.ts";
import { newDumpId } from "../../../src/domain/id.ts";
import { STATES } from "../../../src/domain/states.ts";
import { anyCrash } from "../../support/any-crash.ts";

const CRASHED = new Date("2026-11-21T07:21:03.512Z");
export const UID = "6f1d6a2e-3c1b-4a5e-9a59-1f6f0f3f6c11";

/** Captured, complete, identified. */
export const podRecord = (change: Partial<DumpRecord> = {}): PodRecord =>
  ({
    ...blankRecord(newDumpId(CRASHED.getTime()), CRASHED, "node-1"),
    state: "Captured",
    hostPid: 31605,
    executable: "nginx",
    dumpable: 1,
    owner: "pod",
    pod: { namespace: "shop", name: "web-0", uid: UID },
    container: {
      runtime: "containerd",
      id: "c".repeat(64),
      name: "nginx",
      image: "nginx:1",
      imageDigest: null,
      attempt: 4,
    },
    identity: { source: "cri", confirmed: true, problem: null, cgroup: "/kubepods/x" },
    core: {
      ...blankRecord("", CRASHED, "").core,
      path: "/x",
      sizeBytes: 9,
      storedBytes: 4096,
      logicalBytes: 9,
      expectedBytes: 9,
      complete: true,
    },
    ...change,
  }) as PodRecord;

const text = fc.string({ unit: "binary", maxLength: 3000 });
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: null });
const bytes = maybe(fc.nat({ max: Number.MAX_SAFE_INTEGER }));
const dnsName = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?$/);

/** Kubernetes chose the names of pod, namespace, container and node; the process all else. */
export const anyRecord: fc.Arbitrary<PodRecord> = fc
  .record({
    state: fc.constantFrom(...STATES),
    message: maybe(text),
    executable: text,
    exe: maybe(text),
    comm: maybe(text),
    hostPid: fc.integer({ min: 1, max: 4194304 }),
    containerPid: maybe(fc.integer({ min: 0, max: 4194304 })),
    uptimeMs: maybe(fc.nat()),
    heldMs: maybe(fc.nat()),
    processUid: maybe(fc.nat({ max: 4294967295 })),
    threadCount: maybe(fc.nat()),
    dumpable: fc.constantFrom(1, 2, null),
    crash: maybe(anyCrash.map(shortened)),
    threads: fc.array(fc.record({ tid: fc.integer(), name: maybe(text), crashed: fc.boolean() }), { maxLength: 300 }),
    signal: maybe(
      fc.record({
        number: fc.nat({ max: 200 }),
        name: fc.constantFrom("SIGSEGV", "SIGRTMIN+3", "signal 99"),
        code: maybe(fc.integer()),
        codeText: maybe(text),
        faultAddress: maybe(fc.constant("0xdead")),
      }),
    ),
    pod: fc.record({ namespace: dnsName, name: dnsName, uid: fc.uuid() }),
    container: maybe(
      fc.record({
        runtime: text,
        id: text,
        name: maybe(dnsName),
        image: maybe(text),
        imageDigest: fc.constant(null),
        attempt: maybe(fc.nat()),
      }),
    ),
    identity: fc.record({
      source: fc.constant("cri" as const),
      confirmed: fc.boolean(),
      problem: maybe(text),
      cgroup: maybe(text),
    }),
    delivery: maybe(
      fc.record({
        state: fc.constantFrom("Pending" as const, "Delivered" as const, "GivenUp" as const),
        claim: dnsName,
        reason: maybe(fc.constantFrom("Delivered" as const, "VolumeFull" as const, "PodGone" as const)),
        message: maybe(text),
        since: fc.constant("2026-11-21T07:21:03.512Z"),
      }),
    ),
    core: fc.record({
      sizeBytes: bytes,
      storedBytes: bytes,
      logicalBytes: bytes,
      expectedBytes: bytes,
      complete: maybe(fc.boolean()),
      truncation: maybe(fc.constantFrom("size-cap" as const, "not-elf" as const)),
    }),
  })
  .map((change) => podRecord({ ...change, core: { ...podRecord().core, ...change.core } }));
