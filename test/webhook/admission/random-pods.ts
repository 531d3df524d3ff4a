/** Pods of any shape that an API server would take, with everything that the webhook has rules about. */
import fc from "fast-check";
import { CLAIM_ANNOTATION, type ClaimPod, volumeNameFor } from "../../../src/domain/claim.ts";

const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,6}[a-z0-9])?$/);
const claimName = fc.oneof(label, fc.stringMatching(/^[a-z]{1,5}(\.[a-z0-9]{1,9}){1,7}$/), fc.constant("c".repeat(60)));
const paths = [
  "/data",
  "/var",
  "/var/coredumps",
  "/etc/app/",
  "//srv//x",
  "/var/coredump",
  "/var/coredump/",
  "/var/./coredump/a",
];

/** Mostly elsewhere: else nearly every pod would be denied. */
const mountPath = fc.oneof({ weight: 20, arbitrary: fc.constantFrom(...paths.slice(0, 5)) }, fc.constantFrom(...paths));
const podNameRef = { valueFrom: { fieldRef: { fieldPath: "metadata.name" } } };
const variable = fc.oneof(
  fc.record({
    name: fc.constantFrom("MODE", "POD", "COREDUMP_POD_NAME"),
    value: fc.constantFrom("a", "$(POD)", 'ü\n"'),
  }),
  fc.constantFrom("POD", "COREDUMP_POD_NAME", "COREDUMP_POD_NAME_2").map((name) => ({ name, ...podNameRef })),
);

const container = (volumes: readonly { name: string }[]) =>
  fc.record(
    {
      name: label,
      image: fc.constant("localhost/testbed:1"),
      args: fc.array(fc.constantFrom("$(COREDUMP_POD_NAME)", "--x", "$(POD)"), { maxLength: 2 }),
      env: fc.array(variable, { maxLength: 3 }),
      volumeMounts:
        volumes.length === 0
          ? fc.constant([])
          : fc.uniqueArray(fc.record({ name: fc.constantFrom(...volumes.map(({ name }) => name)), mountPath }), {
              maxLength: 3,
              selector: ({ mountPath }) => mountPath,
            }),
      resources: fc.constantFrom({}, { requests: { cpu: "1m" } }),
      securityContext: fc.constantFrom({}, { runAsNonRoot: true, capabilities: { drop: ["ALL"] } }),
    },
    { requiredKeys: ["name", "image"] },
  );

const source = (claim: string) =>
  fc.oneof(
    fc.constantFrom<object>(
      { emptyDir: {} },
      { hostPath: { path: "/srv" } },
      { persistentVolumeClaim: { claimName: "another" } },
      { projected: { sources: [{ serviceAccountToken: { path: "token" } }] } },
      { csi: { driver: "secrets.example", readOnly: true } },
    ),
    fc.constantFrom<object>({ persistentVolumeClaim: { claimName: claim } }),
    fc.constantFrom<object>({ persistentVolumeClaim: { claimName: claim, readOnly: true } }),
  );

const volumesWith = (claim: string) =>
  fc
    .uniqueArray(fc.tuple(fc.oneof(label, fc.constant(volumeNameFor(claim))), source(claim)), {
      maxLength: 4,
      selector: ([name]) => name,
    })
    .map((volumes) => volumes.map(([name, source]) => ({ name, ...source })));

const containersOn = (volumes: readonly { name: string }[]) =>
  fc
    .uniqueArray(container(volumes), { minLength: 1, maxLength: 5, selector: ({ name }) => name })
    .chain((all) => fc.tuple(fc.constant(all), fc.integer({ min: 1, max: all.length })))
    .map(([all, count]) => ({
      containers: all.slice(0, count),
      ...(count < all.length && { initContainers: all.slice(count) }),
      ...(volumes.length > 0 && { volumes }),
    }));

const others = fc.record(
  {
    nodeSelector: fc.constantFrom<object>({}, { disk: "ssd" }, { coredump: "true" }, { coredump: "no" }),
    restartPolicy: fc.constantFrom("Always", "Never"),
    tolerations: fc.constant([{ operator: "Exists" }]),
    hostNetwork: fc.constant(true),
    terminationGracePeriodSeconds: fc.integer({ min: 0, max: 100 }),
  },
  { requiredKeys: [] },
);

const spec = (claim: string) =>
  fc
    .tuple(volumesWith(claim).chain(containersOn), others)
    .map(([containers, others]) => ({ ...containers, ...others }));

const metadata = (claim: string) =>
  fc.record({
    ...{ name: label, labels: fc.constantFrom({}, { app: "web" }) },
    annotations: fc.constantFrom(
      { [CLAIM_ANNOTATION]: claim },
      { [CLAIM_ANNOTATION]: claim, "example.com/note": "ü\u2028" },
    ),
  });

/** As it comes over the wire. */
export const randomPod: fc.Arbitrary<ClaimPod> = claimName
  .chain((claim) => fc.tuple(metadata(claim), spec(claim), fc.boolean()))
  .map(([{ name, ...rest }, spec, isNamed]) => {
    const named = isNamed ? { name } : { generateName: `${name}-` };
    return JSON.parse(JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata: { ...named, ...rest }, spec }));
  });
