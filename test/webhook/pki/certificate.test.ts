/** Our certificates as others read them: openssl, and TLS from end to end. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { issue, makeAuthority, plainName } from "../../../src/webhook/pki/certificate.ts";
import { integer, objectId, time } from "../../../src/webhook/pki/der.ts";
import { tempDir } from "../../support/tmp.ts";

const NOW_MS = Date.parse("2026-11-21T12:00:00Z");
const validity = { fromMs: NOW_MS, untilMs: NOW_MS + 90 * 24 * 3600_000 };
const authority = makeAuthority("a CA", validity);

test("issue(): openssl, at its strictest, reads and verifies it", () => {
  using folder = tempDir();
  const [ca, cert] = [join(folder.path, "ca.crt"), join(folder.path, "tls.crt")];
  const names = ["a.example", "10.0.0.1", "::1", "2001:db8::a:0:1", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4"];
  writeFileSync(ca, authority.cert);
  writeFileSync(cert, issue(authority, names, validity).cert);
  const openssl = (...args: string[]) => execFileSync("openssl", args, { encoding: "utf8" });
  const at = `${NOW_MS / 1000 + 60}`;
  assert.match(
    openssl("verify", "-x509_strict", "-purpose", "sslserver", "-attime", at, "-CAfile", ca, cert),
    /: OK\n/,
  );
  const text = openssl("x509", "-noout", "-text", "-in", cert);
  assert.match(text, /Subject: CN = a\.example/);
  assert.match(text, /Digital Signature\n.*\n +TLS Web Server Authentication/);
  const addresses = [
    "10.0.0.1",
    "0:0:0:0:0:0:0:1",
    "2001:DB8:0:0:0:A:0:1",
    "1:2:3:4:5:6:7:8",
    "0:0:0:0:0:FFFF:102:304",
  ];
  assert.ok(text.includes(["DNS:a.example", ...addresses.map((address) => `IP Address:${address}`)].join(", ")), text);
});

test("makeAuthority(): a CA with its key, that has signed itself", () => {
  const certificate = new X509Certificate(authority.cert);
  assert.deepEqual([certificate.ca, certificate.subject, certificate.issuer], [true, "CN=a CA", "CN=a CA"]);
  assert.ok(certificate.verify(certificate.publicKey));
  assert.ok(new X509Certificate(issue(authority, ["x"], validity).cert).checkIssued(certificate));
});

test("issue() of any name and address is for that name and no other", () => {
  const property = fc.property(fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6()), (name) => {
    const certificate = new X509Certificate(issue(authority, [name], validity).cert);
    const plain = plainName(name);
    assert.ok(
      isIP(plain) ? certificate.checkIP(plain) : certificate.checkHost(plain),
      certificate.subjectAltName ?? "no name",
    );
    assert.equal(certificate.checkHost("another.test"), undefined);
    assert.equal(certificate.checkIP("198.18.255.255"), undefined);
  });
  fc.assert(property, { numRuns: 50 });
});

test("integer() has no more bytes than it needs, and is never negative", () => {
  for (const [bytes, want] of [
    [[0], "020100"],
    [[0, 0, 5], "020105"],
    [[0x80], "02020080"],
    [[0x7f, 0xff], "02027fff"],
  ] as const)
    assert.equal(integer(Buffer.from(bytes)).toString("hex"), want);
});

test("objectId() writes large arcs in several bytes", () => {
  assert.equal(objectId("1.2.840.113549").toString("hex"), "06062a864886f70d");
});

test("time() is short until 2049", () => {
  assert.equal(time(Date.parse("2049-12-31T23:59:59Z")).toString("latin1"), "\x17\x0d491231235959Z");
  assert.equal(time(Date.parse("2050-01-01T00:00:00Z")).toString("latin1"), "\x18\x0f20500101000000Z");
});
