import assert from "node:assert/strict";
import { test } from "node:test";
import { settingsGiven } from "../../../src/cli/commands/given.ts";
import { APISERVER_FLAGS } from "../../../src/config/apiserver-options.ts";
import { storeSettingsOf } from "../../../src/roles/apiserver/store.ts";

const settingsOf = (flags: Record<string, string>) => storeSettingsOf(settingsGiven(flags, APISERVER_FLAGS));

const cases = [
  { flags: { store: "/mnt" }, want: { store: "/mnt" } },
  { flags: { "backend-kind": "local", "local-path": "/mnt" }, want: { store: "/mnt" } },
  {
    flags: { "backend-kind": "aws", "aws-bucket": "cores/prefix", "aws-host": "minio:9000", "aws-region": "eu" },
    want: { store: "s3://cores/prefix", s3Endpoint: "https://minio:9000", s3Region: "eu" },
  },
  {
    flags: { "backend-kind": "aws", "aws-bucket": "cores", "aws-host": "http://minio:9000" },
    want: { store: "s3://cores", s3Endpoint: "http://minio:9000" },
  },
] as const;
for (const { flags, want } of cases) {
  test(`storeSettingsOf() takes ${JSON.stringify(flags)}`, () => {
    const { store, s3Endpoint, s3Region } = settingsOf(flags);
    assert.deepEqual({ store, s3Endpoint, s3Region }, { s3Endpoint: undefined, s3Region: undefined, ...want });
  });
}

const refused = [
  { flags: { "backend-kind": "local" }, message: /without --local-path/ },
  { flags: { "backend-kind": "aws", "aws-host": "x" }, message: /without --aws-bucket/ },
  { flags: { "backend-kind": "local", "local-path": "/a", store: "/b" }, message: /--store together/ },
];
for (const { flags, message } of refused) {
  test(`storeSettingsOf() refuses ${JSON.stringify(flags)}`, () => {
    assert.throws(() => settingsOf(flags), { code: "SETTINGS_INVALID", message });
  });
}
