import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { SOURCES } from "../../support/role-process.ts";

const files = (path: string) => ["--tls-cert-file", path, "--tls-private-key-file", path];

/** Without a certificate it does not get as far as a port. */
for (const [on, flags, exitCode, says] of [
  ["no certificate", [], 2, /^error: Cannot serve: no certificate\nhint: .*--self-signed/],
  ["no key", files("/x").slice(0, 2), 2, /Cannot serve: no certificate/],
  ["files and --self-signed", ["--self-signed", ...files("/x")], 2, /--self-signed alone/],
  ["a file that is not there", files("/nowhere"), 78, /^error: Cannot read \/nowhere: ENOENT/],
  ["files that are no certificate", files("/etc/hostname"), 78, /^error: Cannot use \/etc\/hostname/],
  [
    "a name that is an address of the web",
    ["--self-signed", "--names", "https://x"],
    2,
    /"https:\/\/x" is neither host nor/,
  ],
  ["a bad port", ["--bind-port", "0"], 2, /Cannot use --bind-port=0: not a whole number from 1 on/],
] as const)
  test(`webhook with ${on} does not begin, and says why`, async () => {
    const [file = "", ...first] = SOURCES;
    const ended = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
      execFile(file, [...first, "webhook", "--metrics-port", "0", ...flags], (error, _, stderr) =>
        resolve({ code: error?.code, stderr }),
      );
    });
    assert.match(ended.stderr, says);
    assert.equal(ended.code, exitCode);
    assert.doesNotMatch(ended.stderr, /\n +at /);
  });
