/** What goes wrong between an agent and a real S3 server: named clearly, nothing lost, nothing sent twice. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { AbortMultipartUploadCommand, ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import { DumpError } from "../../../src/domain/failures.ts";
import { retrying } from "../../../src/store/retrying.ts";
import { FOREVER, testUpload } from "../../contract/uploads.ts";
import { type Answer, type Fault, faultyProxy, isCompletion, isPart } from "../../support/faults-http.ts";
import { startS3 } from "../../support/s3.ts";
import { s3Sink } from "../../support/s3-sink.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";

const MIB = 1 << 20;
const SMALL = randomBytes(1000);
const LARGE = randomBytes(23 * MIB + 5);

const skip = needs("root", "cluster");
const check: typeof test.skip = skip ? test.skip : test;
const s3 = skip ? (undefined as never) : await startS3();
after(() => s3?.[Symbol.asyncDispose]());
const mayOnlyRead = await s3?.user("nobody", "s3:GetObject");

/** The failure of a put that meets the fault: its code, what it says, what it advises. */
interface Named {
  readonly code: string;
  readonly message: RegExp;
  readonly hint: RegExp;
}
async function isNamed(put: Promise<unknown>, { code, message, hint }: Named): Promise<void> {
  await assert.rejects(put, (error) => {
    assert.ok(error instanceof DumpError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.match(error.message, /^Cannot \w[\w ]* shop\/.*\.tar\.zst in(to)? s3:\/\//);
    assert.match(error.hint ?? "", hint);
    return true;
  });
}

const keyCases: readonly (Named & { on: string; keys: { accessKey: string; secretKey: string }; bucket?: string })[] = [
  {
    on: "a wrong secret key",
    keys: { ...s3, secretKey: "wrong" },
    code: "STORE_DENIED",
    message: /wrong credentials \(SignatureDoesNotMatch, 403\)/,
    hint: /access-key and secret-key/,
  },
  {
    on: "an unknown access key",
    keys: { accessKey: "stranger", secretKey: "x" },
    code: "STORE_DENIED",
    message: /wrong credentials \(InvalidAccessKeyId, 403\)/,
    hint: /access-key and secret-key/,
  },
  {
    on: "keys that may not write",
    keys: mayOnlyRead,
    code: "STORE_DENIED",
    message: /access denied \(AccessDenied, 403\)/,
    hint: /s3:PutObject/,
  },
  {
    on: "a bucket that is not there",
    keys: s3,
    bucket: "elsewhere",
    code: "STORE_MISSING",
    message: /no such bucket \(NoSuchBucket, 404\)/,
    hint: /create the bucket/,
  },
];
for (const { on, keys, bucket = s3?.bucket, ...named } of keyCases) {
  check(`put() names ${on}`, async () => {
    await using under = s3Sink(s3, { keys, bucket });
    for (const content of [SMALL, LARGE]) await isNamed(under.sink.put(testUpload(content), FOREVER), named);
    assert.deepEqual(await under.leftovers(), []);
  });
}

const answer = (status: number, code: string): Fault => ({ kind: "answer", status, code });
const faultCases: readonly (Named & { on: string; fault: Fault })[] = [
  {
    on: "503",
    fault: answer(503, "SlowDown"),
    code: "STORE_UNAVAILABLE",
    message: /\(SlowDown, 503\)/,
    hint: /stays on the node/,
  },
  {
    on: "500",
    fault: answer(500, "InternalError"),
    code: "STORE_UNAVAILABLE",
    message: /\(InternalError, 500\)/,
    hint: /stays on/,
  },
  {
    on: "a full store",
    fault: answer(507, "InsufficientStorage"),
    code: "STORE_FULL",
    message: /the store is full/,
    hint: /room/,
  },
  {
    on: "a quota",
    fault: answer(400, "QuotaExceeded"),
    code: "STORE_FULL",
    message: /the store is full/,
    hint: /quota/,
  },
  {
    on: "a wrong clock",
    fault: answer(403, "RequestTimeTooSkewed"),
    code: "STORE_UNAVAILABLE",
    message: /clock/,
    hint: /NTP/,
  },
  {
    on: "an expired token",
    fault: answer(400, "ExpiredToken"),
    code: "STORE_DENIED",
    message: /have expired/,
    hint: /renew/,
  },
  {
    on: "another region",
    fault: answer(301, "PermanentRedirect"),
    code: "STORE_REFUSED",
    message: /another region/,
    hint: /--s3-region/,
  },
  {
    on: "what it cannot do",
    fault: answer(400, "InvalidStorageClass"),
    code: "STORE_REFUSED",
    message: /400/,
    hint: /settings/,
  },
  {
    on: "a connection that breaks",
    fault: { kind: "reset", afterBytes: 100 },
    code: "STORE_UNAVAILABLE",
    message: /broke the connection off/,
    hint: /not sent again/,
  },
  {
    on: "silence",
    fault: { kind: "stall" },
    code: "STORE_UNAVAILABLE",
    message: /does not answer/,
    hint: /stays on the node/,
  },
  {
    on: "bytes that are damaged on the way",
    fault: { kind: "damage", atByte: 500 },
    code: "STORE_CORRUPT",
    message: /damaged on the way/,
    hint: /network/,
  },
  {
    on: "an answer about other bytes",
    fault: {
      kind: "rewrite",
      answer: (said) => ({ ...said, headers: { ...said.headers, "x-amz-checksum-crc32": "AAAAAA==" } }),
    },
    code: "STORE_CORRUPT",
    message: /did not answer with its checksum/,
    hint: /damaged/,
  },
];
for (const { on, fault, ...named } of faultCases) {
  check(`put() names ${on}, and goes on when it is over`, async () => {
    await using proxy = await faultyProxy(s3.endpoint);
    await using under = s3Sink(s3, { endpoint: proxy.endpoint, stallMs: 1000 });
    const small = testUpload(SMALL);
    proxy.fault = () => fault;
    await isNamed(under.sink.put(small, FOREVER), named);
    const large = testUpload(LARGE);
    let parts = 0;
    proxy.fault = (asked) => (isPart(asked) && ++parts > 2 ? fault : undefined);
    await isNamed(under.sink.put(large, FOREVER), named);
    assert.equal(await under.stored(large.key), undefined);
    proxy.fault = () => undefined;
    proxy.receivedBytes = 0;
    for (const upload of [small, large]) await under.sink.put(upload, FOREVER);
    assert.ok(proxy.receivedBytes < LARGE.length - 5 * MIB, `${proxy.receivedBytes} bytes were sent again`);
    assert.ok((await under.stored(small.key))?.equals(SMALL));
    assert.ok((await under.stored(large.key))?.equals(LARGE));
    assert.deepEqual(await under.leftovers(), []);
  });
}

check("put() names a store where nobody listens, and a host that nobody knows", async () => {
  for (const [endpoint, message] of [
    ["http://127.0.0.1:9", /nothing listens/],
    ["http://s3.invalid", /name of the store's host/],
  ] as const) {
    await using under = s3Sink(s3, { endpoint });
    await isNamed(under.sink.put(testUpload(SMALL), FOREVER), {
      code: "STORE_UNAVAILABLE",
      message,
      hint: /stays on the node/,
    });
  }
});

check("put() names a server whose disk is full, and goes on when there is room", async () => {
  await using under = s3Sink(s3);
  const volume = join(s3.folder, "data", s3.bucket);
  const upload = testUpload(LARGE);
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${14 * MIB}`, "testbed", volume]);
  try {
    await isNamed(under.sink.put(upload, FOREVER), {
      code: "STORE_FULL",
      message: /the store is full \(InsufficientStorage, 507\)/,
      hint: /make room/,
    });
    execFileSync("mount", ["-o", `remount,size=${80 * MIB}`, volume]);
    await under.sink.put(upload, FOREVER);
    assert.ok((upload.asked.at(-1) ?? 0) > 0, "goes on");
    assert.ok((await under.stored(upload.key))?.equals(LARGE));
  } finally {
    execFileSync("umount", ["-l", volume]);
  }
});

check("put() names keys that are not there", async () => {
  await using under = s3Sink(s3, { settings: { s3CredentialsDir: "/nowhere" } });
  await assert.rejects(under.sink.put(testUpload(SMALL), FOREVER), {
    code: "STORE_DENIED",
    message: /keys in \/nowhere: ENOENT/,
  });
});

check("put() is patient with a store that is slow but moves", async () => {
  await using proxy = await faultyProxy(s3.endpoint);
  await using under = s3Sink(s3, { endpoint: proxy.endpoint, stallMs: 2000 });
  const upload = testUpload(LARGE);
  proxy.fault = () => ({ kind: "slow", bytesPerS: 4 * MIB }); // three seconds in all, two parts at once
  await under.sink.put(upload, FOREVER);
  assert.ok((await under.stored(upload.key))?.equals(LARGE));
});

check("put() ends at once when it is told to, also when the store says nothing", async () => {
  await using proxy = await faultyProxy(s3.endpoint);
  await using under = s3Sink(s3, { endpoint: proxy.endpoint, stallMs: 600_000 });
  proxy.fault = () => ({ kind: "stall" });
  const stop = new AbortController();
  setTimeout(() => stop.abort(new Error("SIGTERM")), 200);
  await assert.rejects(under.sink.put(testUpload(SMALL), stop.signal), { message: "SIGTERM" });
});

check("retrying() takes a large bundle through a store that fails at every fourth request", async () => {
  await using proxy = await faultyProxy(s3.endpoint);
  await using under = s3Sink(s3, { endpoint: proxy.endpoint });
  const upload = testUpload(LARGE);
  let asked = 0;
  proxy.fault = () => (++asked % 4 === 0 ? answer(503, "SlowDown") : undefined);
  const sink = retrying(under.sink, { attempts: 20, firstMs: 1, longestMs: 5 });
  await sink.put(upload, FOREVER);
  assert.ok((await under.stored(upload.key))?.equals(LARGE));
  assert.deepEqual(await under.leftovers(), []);
});

check("put() of a bundle whose completion was done but not heard of sends nothing again", async () => {
  await using proxy = await faultyProxy(s3.endpoint);
  await using under = s3Sink(s3, { endpoint: proxy.endpoint });
  const upload = testUpload(LARGE);
  proxy.fault = (asked) => (isCompletion(asked) ? { kind: "lose-answer" } : undefined);
  await isNamed(under.sink.put(upload, FOREVER), {
    code: "STORE_UNAVAILABLE",
    message: /broke the connection/,
    hint: /not sent again/,
  });
  proxy.fault = () => undefined;
  const taken = upload.takenBytes;
  const bundle = await under.sink.put(upload, FOREVER);
  assert.equal(bundle.sizeBytes, LARGE.length);
  assert.equal(upload.takenBytes, taken);
  assert.ok((await under.stored(upload.key))?.equals(LARGE));
});

check("put() begins anew when somebody aborted the upload", async () => {
  await using under = s3Sink(s3);
  const upload = testUpload(LARGE);
  upload.before = (at) => assert.ok(at < 20 * MIB, "enough");
  await assert.rejects(under.sink.put(upload, FOREVER), { message: "enough" });
  const client = s3.client();
  const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: s3.bucket }));
  for (const { Key, UploadId } of Uploads ?? [])
    await client.send(new AbortMultipartUploadCommand({ Bucket: s3.bucket, Key, UploadId }));
  client.destroy();
  upload.before = () => undefined;
  await under.sink.put(upload, FOREVER);
  assert.equal(upload.asked.at(-1), 0);
  assert.ok((await under.stored(upload.key))?.equals(LARGE));
});

check("put() sends a part again that the store no longer has as it was", async () => {
  await using under = s3Sink(s3);
  const upload = testUpload(LARGE);
  upload.before = (at) => assert.ok(at < 20 * MIB, "enough");
  await assert.rejects(under.sink.put(upload, FOREVER), { message: "enough" });
  const note = upload.noted as { parts: { etag: string }[] };
  upload.note({ ...note, parts: note.parts.map((part, at) => (at === 1 ? { ...part, etag: '"other"' } : part)) });
  upload.before = () => undefined;
  await under.sink.put(upload, FOREVER);
  assert.equal(upload.asked.at(-1), 5 * MIB);
  assert.ok((await under.stored(upload.key))?.equals(LARGE));
});

/** What a service of before 2024 would say. */
const withoutChecksums = ({ headers, body }: Answer): Answer => ({
  headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith("x-amz-checksum"))),
  body: body.replace(/<Checksum\w+>[^<]*<\/Checksum\w+>/g, ""),
});

check("put() believes the MD5 of a service that knows no other checksum", async () => {
  await using proxy = await faultyProxy(s3.endpoint);
  await using under = s3Sink(s3, { endpoint: proxy.endpoint });
  proxy.fault = () => ({ kind: "rewrite", answer: withoutChecksums });
  for (const content of [SMALL, LARGE]) {
    const upload = testUpload(content);
    await under.sink.put(upload, FOREVER);
    assert.ok((await under.stored(upload.key))?.equals(content));
  }
});

check("put() takes no service that answers nothing to check", async () => {
  await using proxy = await faultyProxy(s3.endpoint);
  await using under = s3Sink(s3, { endpoint: proxy.endpoint });
  const silent = (said: Answer): Answer => {
    const { headers, body } = withoutChecksums(said);
    return { body, headers: { ...headers, ...(headers["etag"] && { etag: '"opaque"' }) } };
  };
  proxy.fault = () => ({ kind: "rewrite", answer: silent });
  for (const content of [SMALL, LARGE]) {
    const upload = testUpload(content);
    await assert.rejects(under.sink.put(upload, FOREVER), { code: "STORE_CORRUPT" });
    proxy.fault = () => undefined;
    await retrying(under.sink).discard(upload, FOREVER); // the server may still be busy with a part
    proxy.fault = () => ({ kind: "rewrite", answer: silent });
  }
  assert.deepEqual(await under.leftovers(), []);
});

check("put() trusts a certificate by --s3-ca-file, and names one that it does not trust", async () => {
  using dir = tempDir();
  const [key, cert] = [join(dir.path, "key.pem"), join(dir.path, "cert.pem")];
  const subject = ["-subj", "/CN=s3", "-addext", "subjectAltName=IP:127.0.0.1"];
  execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", cert, ...subject],
    { stdio: "ignore" },
  );
  await using proxy = await faultyProxy(s3.endpoint, {
    key: readFileSync(key, "utf8"),
    cert: readFileSync(cert, "utf8"),
  });
  await using trusting = s3Sink(s3, { endpoint: proxy.endpoint, settings: { s3CaFile: cert } });
  const upload = testUpload(LARGE);
  await trusting.sink.put(upload, FOREVER);
  assert.ok((await trusting.stored(upload.key))?.equals(LARGE));
  await using other = s3Sink(s3, { endpoint: proxy.endpoint });
  await isNamed(other.sink.put(upload, FOREVER), {
    code: "STORE_REFUSED",
    message: /certificate/,
    hint: /--s3-ca-file/,
  });
  await using nowhere = s3Sink(s3, { endpoint: proxy.endpoint, settings: { s3CaFile: "/nowhere" } });
  await assert.rejects(nowhere.sink.put(upload, FOREVER), { code: "SETTINGS_INVALID" });
});
