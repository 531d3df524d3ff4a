import assert from "node:assert/strict";
import { test } from "node:test";
import { locationOf, volumeOf } from "../../src/store/ports/location.ts";

const good = [
  { store: "/mnt/cores", want: { kind: "directory", path: "/mnt/cores" }, volume: "/mnt/cores" },
  { store: "/mnt//cores/", want: { kind: "directory", path: "/mnt/cores" }, volume: "/mnt/cores" },
  { store: "/", want: { kind: "directory", path: "/" }, volume: "/" },
  { store: "s3://cores", want: { kind: "s3", bucket: "cores", prefix: "" }, volume: "s3://cores" },
  { store: "s3://cores/", want: { kind: "s3", bucket: "cores", prefix: "" }, volume: "s3://cores" },
  {
    store: "s3://cores/prod/eu/",
    want: { kind: "s3", bucket: "cores", prefix: "prod/eu" },
    volume: "s3://cores/prod/eu",
  },
] as const;
for (const { store, want, volume } of good) {
  test(`locationOf() reads ${store}`, () => {
    assert.deepEqual(locationOf(store), want);
    assert.equal(volumeOf(want), volume);
  });
}

const bad = [
  "",
  "cores",
  "./cores",
  "s3:/cores",
  "s3://",
  "s3:///prefix",
  "s3://a", // a bucket's name has three letters
  "s3://cores/../other",
  "s3://cores/a//b",
  "s3://cores/a b",
  "s3://cores/ü",
  "s3://cores\n",
  `s3://cores/${"x".repeat(401)}`, // a key has 1024 bytes
  "https://s3.example/cores",
];
for (const store of bad)
  test(`locationOf() refuses ${JSON.stringify(store.slice(0, 30))}`, () =>
    assert.throws(() => locationOf(store), { code: "SETTINGS_INVALID" }));
