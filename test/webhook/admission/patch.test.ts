/** The rules over pods as a real API server sent them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CLAIM_ANNOTATION, type ClaimPod } from "../../../src/domain/claim.ts";
import { judgePod } from "../../../src/webhook/admission/patch.ts";
import { additionsTo, patched, podOf, REVIEWS } from "./pods.ts";

const SELECTOR = { "/spec/nodeSelector": { coredump: "true" } };
const VOLUME = { "/spec/volumes/-": volume("coredump-cores", "cores") };
function volume(name: string, claimName: string) {
  return { name, persistentVolumeClaim: { claimName } };
}
const mount = (subPath: string, name = "coredump-cores") => ({ name, mountPath: "/var/coredump", subPath });
const byName = (container: string, variable = "COREDUMP_POD_NAME") => ({
  name: "coredump-cores",
  mountPath: "/var/coredump",
  subPathExpr: `$(${variable})/${container}`,
});
const podName = (name = "COREDUMP_POD_NAME") => ({
  name,
  valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.name" } },
});
const remedy = "; remove that, or the annotation coredump.fujitsu.com/pvcname";
const inTheWay = (container: string, volume: string, path: string) =>
  `Cannot mount claim "cores" at /var/coredump in container "${container}": it has volume "${volume}" at "${path}"${remedy}`;
/** A pod by a controller: no name yet. The token's mount is there already. */
const unnamed = (container: string, env = "/env", index = 0) => ({
  [`/spec/containers/${index}${env}`]: env === "/env" ? [podName()] : podName(),
  [`/spec/containers/${index}/volumeMounts/-`]: byName(container),
});
const LONG = "coredump-very-long-very-long-very-long-very-long-v-ba9209faf829";

/** What each captured pod gets: by path what is added, in order; or why it is denied. */
const WANT: Readonly<Record<string, Readonly<Record<string, unknown>> | string>> = {
  "no-annotation": {},
  "empty-annotation": {},
  deployment: { ...VOLUME, ...unnamed("web", "/env/-"), ...unnamed("metrics", "/env", 1), ...SELECTOR },
  daemonset: { ...VOLUME, ...unnamed("logs"), ...SELECTOR },
  job: { ...VOLUME, ...unnamed("etl"), ...SELECTOR },
  "job-indexed": { ...VOLUME, ...unnamed("shard", "/env/-"), ...SELECTOR },
  cronjob: { ...VOLUME, ...unnamed("report"), ...SELECTOR },
  statefulset: { ...VOLUME, "/spec/containers/0/volumeMounts/-": mount("db-0/db"), ...SELECTOR },
  bare: {
    "/spec/volumes": [volume("coredump-cores", "cores")], // no token: the only one
    "/spec/containers/0/volumeMounts": [mount("bare/app")],
    ...SELECTOR,
  },
  "inits-and-sidecar": {
    ...VOLUME,
    "/spec/initContainers/0/volumeMounts/-": mount("inits-and-sidecar/migrate"),
    "/spec/initContainers/1/volumeMounts/-": mount("inits-and-sidecar/proxy"),
    "/spec/containers/0/volumeMounts/-": mount("inits-and-sidecar/app"),
    ...SELECTOR,
  },
  "long-claim": {
    "/spec/volumes/-": volume(LONG, `${"very-long-".repeat(6)}claim.v2`),
    "/spec/containers/0/volumeMounts/-": mount("long-claim/app", LONG),
    ...SELECTOR,
  },
  "claim-mounted-elsewhere": {
    "/spec/containers/0/volumeMounts/-": mount("claim-mounted-elsewhere/app", "work"),
    "/spec/containers/1/volumeMounts/-": mount("claim-mounted-elsewhere/other", "work"),
    ...SELECTOR,
  },
  "claim-read-only": `Cannot mount claim "cores" at /var/coredump: the pod has it read-only as volume "work"${remedy}`,
  "volume-name-taken": {
    "/spec/volumes/-": volume("coredump-cores-2", "cores"),
    "/spec/containers/0/volumeMounts/-": mount("volume-name-taken/app", "coredump-cores-2"),
    ...SELECTOR,
  },
  "mount-at": inTheWay("app", "scratch", "/var/coredump"),
  "mount-at-slash": inTheWay("app", "scratch", "/var/coredump/"),
  "mount-below": inTheWay("setup", "scratch", "/var//coredump/./old"),
  "mount-beside": { ...VOLUME, "/spec/containers/0/volumeMounts/-": mount("mount-beside/app"), ...SELECTOR },
  "device-at": inTheWay("app", "raw", "/var/coredump"),
  "selector-true": { ...VOLUME, "/spec/containers/0/volumeMounts/-": mount("selector-true/app") },
  "selector-beside": {
    ...VOLUME,
    "/spec/containers/0/volumeMounts/-": mount("selector-beside/app"),
    "/spec/nodeSelector/coredump": "true",
  },
  "selector-other": `Cannot run the pod where cores are kept: its node selector asks for coredump="false", not "true"${remedy}`,
  "many-volumes": { ...VOLUME, "/spec/containers/0/volumeMounts/-": mount("many-volumes/app"), ...SELECTOR },
  "generate-name-variable-taken": {
    ...VOLUME,
    "/spec/containers/0/env/-": podName("COREDUMP_POD_NAME_2"),
    "/spec/containers/0/volumeMounts/-": byName("app", "COREDUMP_POD_NAME_2"),
    "/spec/containers/1/env": [podName("COREDUMP_POD_NAME_2")],
    "/spec/containers/1/volumeMounts/-": byName("arg", "COREDUMP_POD_NAME_2"),
    "/spec/containers/2/volumeMounts/-": byName("same"), // the variable is there, and what we need
    ...SELECTOR,
  },
};

test("the table has each captured pod", () => assert.deepEqual([...REVIEWS.keys()], Object.keys(WANT).sort()));

for (const [name, review] of REVIEWS) {
  test(`judgePod() of ${name}`, () => {
    const additions = additionsTo(podOf(review));
    if (typeof additions === "string") assert.equal(additions, WANT[name]);
    else assert.deepEqual(Object.fromEntries(additions.map(({ path, value }) => [path, value])), WANT[name]);
  });

  test(`judgePod() of ${name} finds nothing to do the second time, also under the name that it then has`, () => {
    const pod = podOf(review);
    const additions = additionsTo(pod);
    if (typeof additions === "string") return;
    const once = patched(pod, additions);
    assert.deepEqual(judgePod(once), { kind: "untouched" });
    const named = { ...once, metadata: { ...once.metadata, name: once.metadata?.name ?? "shop-798c58bd74-x2x4z" } };
    assert.deepEqual(judgePod(named), { kind: "untouched" });
  });
}

const pod = (spec: object, name = "web-0"): ClaimPod => ({
  metadata: { name, annotations: { [CLAIM_ANNOTATION]: "cores" } },
  spec,
});
const ours = {
  nodeSelector: { coredump: "true" },
  volumes: [{ name: "v", persistentVolumeClaim: { claimName: "cores" } }],
};
const container = (volumeMount: object, env: object[] = []) => [
  { name: "app", env, volumeMounts: [{ name: "v", mountPath: "/var/coredump", ...volumeMount }] },
];
const named = (value: object) => [{ name: "POD", ...value }];

for (const [on, verdict, spec] of [
  ["our own mount, spelt with a slash", "untouched", container({ subPath: "web-0/app", mountPath: "/var/coredump/" })],
  ["another pod's directory", "denied", container({ subPath: "web-1/app" })], // a copy must not write there
  ["another container's directory", "denied", container({ subPath: "web-0/other" })],
  ["the whole claim", "denied", container({})],
  ["read-only", "denied", container({ subPath: "web-0/app", readOnly: true })],
  [
    "by the pod's name, whatever the variable",
    "untouched",
    container({ subPathExpr: "$(POD)/app" }, named(podName("POD"))),
  ],
  ["by a variable with another meaning", "denied", container({ subPathExpr: "$(POD)/app" }, named({ value: "x" }))],
  [
    "by a variable that is overridden",
    "denied",
    container({ subPathExpr: "$(POD)/app" }, [podName("POD"), ...named({ value: "x" })]),
  ],
  [
    "by a variable of which the last counts",
    "untouched",
    container({ subPathExpr: "$(POD)/app" }, [...named({ value: "x" }), podName("POD")]),
  ],
  ["by a variable that is not there", "denied", container({ subPathExpr: "$(POD)/app" })],
] as const)
  test(`judgePod() takes a mount of the claim, ${on}: ${verdict}`, () =>
    assert.equal(judgePod(pod({ ...ours, containers: spec })).kind, verdict));

test("judgePod() adds to what another webhook put in after it", () => {
  const first = pod({ containers: [{ name: "app" }] });
  const once = patched(first, additionsTo(first) as never);
  const injected = {
    ...once,
    spec: { ...once.spec, containers: [...(once.spec?.containers ?? []), { name: "proxy" }] },
  };
  assert.deepEqual(additionsTo(injected), [
    { op: "add", path: "/spec/containers/1/volumeMounts", value: [mount("web-0/proxy")] },
  ]);
});

test("judgePod() mounts the one of two volumes of the claim that can be written", () => {
  const volumes = [
    { name: "look", persistentVolumeClaim: { claimName: "cores", readOnly: true } },
    { name: "work", persistentVolumeClaim: { claimName: "cores" } },
  ];
  const additions = additionsTo(pod({ ...ours, volumes, containers: [{ name: "app" }] }));
  assert.deepEqual(additions, [
    { op: "add", path: "/spec/containers/0/volumeMounts", value: [mount("web-0/app", "work")] },
  ]);
});

test("judgePod() takes null for a list that is not there", () => {
  const nothing = {
    volumes: null,
    nodeSelector: null,
    initContainers: null,
    containers: [{ name: "app", volumeMounts: null, env: null, volumeDevices: null }],
  };
  const additions = additionsTo(pod(nothing, ""));
  assert.deepEqual(Array.isArray(additions) && additions.map(({ path }) => path), [
    "/spec/volumes",
    "/spec/containers/0/env",
    "/spec/containers/0/volumeMounts",
    "/spec/nodeSelector",
  ]);
});
