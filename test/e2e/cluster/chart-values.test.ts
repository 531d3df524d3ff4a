/** What the chart does not take: each bad value is named with its key, itself, and what is expected. No cluster is asked. */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { PATTERN_MAX_BYTES, patternFor } from "../../../src/node/kernel/core-pattern.ts";
import { CHART, helm, helmRefusal } from "../../support/helm.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("cluster");
const template = (...flags: readonly string[]) => helm(undefined, "template", "dumps", CHART, ...flags);
const refusal = (...flags: readonly string[]) => helmRefusal(undefined, "template", "dumps", CHART, ...flags);
const S3 = ["--set=store.options.s3-region=eu-central-1"];

/** `key=value` as `--set` has it: all of them in one go, for the chart names them all. */
const BAD: readonly { readonly set: string; readonly says: RegExp }[] = [
  { set: "agent.options.max-dump-size=banana", says: /max-dump-size is "banana": expected a size such as 32Gi/ },
  { set: "agent.options.cache-size=3GB", says: /cache-size is "3GB": expected a size/ },
  { set: "agent.options.upload-bandwidth=", says: /upload-bandwidth is "": expected a size/ },
  { set: "agent.options.cache-share=200", says: /cache-share is "200": expected a percentage/ },
  { set: "agent.options.keep-records=30days", says: /keep-records is "30days": expected a duration with its unit/ },
  {
    set: "gc.options.max-age=30",
    says: /gc\.options\.max-age is "30": expected a duration with its unit, such as 30s/,
  },
  { set: "gc.options.max-namespace-size=1 TB", says: /max-namespace-size is "1 TB": expected a size/ },
  { set: "controller.options.lease-duration=", says: /lease-duration is "": expected a duration/ },
  { set: "retireWait=soon", says: /retireWait is "soon": expected a duration/ },
  { set: "hooks.startTimeout=0", says: /hooks\.startTimeout is "0": expected a duration/ },
  { set: "quotas.shop=10 GB", says: /quotas\.shop is "10 GB": expected a quantity such as 10Gi/ },
  { set: "store.claim.size=3GB", says: /store\.claim\.size is "3GB": expected a quantity/ },
  { set: "apiserver.database.size=much", says: /database\.size is "much": expected a quantity/ },
  { set: "store.options.s3-endpoint=s3.example", says: /s3-endpoint is "s3\.example": expected a URL with its scheme/ },
  { set: "etcd.servers=etcd-0:2379", says: /etcd\.servers is "etcd-0:2379": expected URLs with their scheme/ },
  { set: "agent.dumpDir=/", says: /agent\.dumpDir is "\/": expected a directory of the node for dumps alone/ },
  { set: "agent.binDir=/proc/sys", says: /agent\.binDir is "\/proc\/sys": expected a directory of the node/ },
  { set: "image.repository=", says: /image\.repository is "": expected an image's name/ },
  { set: "image.tag=a b", says: /image\.tag is "a b": expected an image's tag/ },
  { set: "pvc.bucketNmae=cores", says: /pvc\.bucketNmae is unknown: expected one of bucketName, bucketSecretName/ },
  { set: "daemonset.s3Regoin=x", says: /daemonset\.s3Regoin is unknown: expected one of crioEndpoint/ },
  { set: "composer.logLenght=1", says: /composer\.logLenght is unknown/ },
  { set: "daemonset.NS_DISK_QUOTA=10 GB", says: /daemonset\.NS_DISK_QUOTA is "10 GB": expected a size/ },
  { set: "daemonset.interval=60", says: /daemonset\.interval is a value of another chart: nothing is polled here/ },
  {
    set: "daemonset.s3Secret=x",
    says: /s3Secret is a value of another chart: keys do not belong into values; put them/,
  },
];

/** One store each. */
const STORES = [
  "s3://",
  "s3://ab",
  "s3://Cores",
  "s3://my_cores",
  "s3://a..b",
  "s3://10.0.0.1/prod",
  "s3://-cores",
  "/",
  "cores",
  "/a/../b",
];

/** What the schema sees to, or what depends on several values. */
const ALONE: readonly { readonly flags: readonly string[]; readonly says: RegExp }[] = [
  {
    flags: ["--set=store.url=s3://cores"],
    says: /store\.url is "s3:\/\/cores": expected store\.options\.s3-endpoint .*s3-region/,
  },
  { flags: ["--set=controller.replicas=0"], says: /controller\/replicas.*got 0, want 1/s },
  { flags: ["--set=apiserver.replicas=-1"], says: /apiserver\/replicas.*got -1, want 1/s },
  { flags: ["--set=agent.options.max-dumps=0"], says: /max-dumps.*got 0, want 1/s },
  { flags: ["--set=networkPolicy.metricFrom=x"], says: /'metricFrom' not allowed/ },
  { flags: ["--set=serviceMonitor.enabled=true"], says: /serviceMonitor\.enabled needs networkPolicy\.metricsFrom/ },
];

describe("the chart's values", { skip }, () => {
  let said: string;
  before(async () => {
    said = await refusal(...BAD.map(({ set }) => `--set-string=${set}`));
  });

  for (const { set, says } of BAD) test(`refuses ${set}`, () => assert.match(said, says));

  test(`refuses stores that S3 would refuse: ${STORES.join(", ")}`, async () => {
    for (const url of STORES)
      assert.match(
        await refusal(`--set=store.url=${url}`, ...S3),
        /store\.url is ".*": expected a directory such as/,
        url,
      );
  });

  for (const { flags, says } of ALONE)
    test(`refuses ${flags.join(" ")}`, async () => assert.match(await refusal(...flags), says));

  test("takes a binDir as long as the kernel's pattern has room for it, and no longer", async () => {
    const room = PATTERN_MAX_BYTES - patternFor("/coredump-detector", "7.0").length;
    const longest = `/${"d".repeat(room - 1)}`;
    assert.equal(patternFor(`${longest}/coredump-detector`, "7.0").length, PATTERN_MAX_BYTES);
    await template(`--set=agent.binDir=${longest}`);
    assert.match(
      await refusal(`--set=agent.binDir=${longest}d`),
      new RegExp(`absolute path of ${room} bytes at the most`),
    );
  });

  const GOOD = [
    [
      "--set=store.url=s3://my_cores/prod,store.options.s3-path-style=true,store.options.s3-endpoint=http://10.0.0.7:9000",
    ],
    ["--set=store.url=s3://cores,agent.extraEnv[0].name=AWS_REGION,agent.extraEnv[0].value=eu-central-1"],
    [
      "--set=store.url=s3://cores",
      "--set-string=agent.serviceAccountAnnotations.eks\\.amazonaws\\.com/role-arn=arn:aws:iam::1:role/x",
    ],
    ["--set=agent.options.max-dump-size=32GiB,agent.options.keep-records=1d12h,gc.options.max-age=0s,retireWait=90s"],
    ["--set=agent.options.cache-size=1073741824,quotas.shop=10Gi,agent.options.cache-share=40%"],
  ];
  for (const flags of GOOD) test(`takes ${flags.join(" ")}`, async () => void (await template(...flags)));
});
