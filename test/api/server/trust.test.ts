/** Authorities, and what the cluster's ConfigMap says of them. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { Authorities } from "../../../src/api/server/authorities.ts";
import { ClusterTrust, type TrustMap } from "../../../src/api/server/cluster-trust.ts";
import { issue, makeAuthority } from "../../../src/webhook/pki/certificate.ts";

const HOUR_MS = 3_600_000;
const VALID = { fromMs: Date.now() - HOUR_MS, untilMs: Date.now() + HOUR_MS };
const [one, other] = [makeAuthority("front", VALID), makeAuthority("front", VALID)]; // of the same name
const leaf = new X509Certificate(issue(one, ["proxy"], VALID).cert);

test("vouchFor() goes by signatures, not by names", () => {
  assert.equal(new Authorities(one.cert).vouchFor(leaf), true);
  assert.equal(new Authorities(other.cert).vouchFor(leaf), false);
  assert.equal(new Authorities(`${other.cert}\nrubbish\n${one.cert}`).vouchFor(leaf), true);
  assert.equal(new Authorities("").vouchFor(leaf), false);
});

test("vouchFor() ends with the certificate, and with the authority", () => {
  const authorities = new Authorities(one.cert);
  for (const ms of [-2 * HOUR_MS, 2 * HOUR_MS])
    assert.equal(authorities.vouchFor(leaf, new Date(Date.now() + ms)), false);
  const old = makeAuthority("old", { fromMs: VALID.fromMs, untilMs: Date.now() - 1000 });
  assert.equal(new Authorities(old.cert).vouchFor(new X509Certificate(issue(old, ["x"], VALID).cert)), false);
});

test("an authority that cannot be read vouches for nobody, and harms no other", () => {
  const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
  assert.equal(new Authorities(`${broken}\n${one.cert}`).vouchFor(leaf), true);
  assert.deepEqual(new Authorities(broken).pem, []);
});

const map = (data: Record<string, string>, name = "extension-apiserver-authentication"): TrustMap => ({
  metadata: { name, uid: "u", resourceVersion: "1" },
  data,
});

test("ClusterTrust reads what the cluster says, and tells when that changes", () => {
  let changes = 0;
  const trust = new ClusterTrust(() => changes++);
  assert.equal(trust.known, false);
  trust.listed(
    map({
      "client-ca-file": other.cert,
      "requestheader-client-ca-file": one.cert,
      "requestheader-allowed-names": '["front-proxy"]',
      "requestheader-username-headers": '["X-Remote-User"]',
      "requestheader-group-headers": '["X-Remote-Group"]',
      "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
    }),
  );
  assert.deepEqual([changes, trust.known, trust.pem], [1, true, [other.cert.trim(), one.cert.trim()]]);
  const { allowedNames, userHeaders, uidHeaders, groupHeaders, extraPrefixes } = trust.frontProxy;
  assert.deepEqual(allowedNames, ["front-proxy"]);
  assert.deepEqual(
    [userHeaders, uidHeaders, groupHeaders, extraPrefixes],
    [["x-remote-user"], [], ["x-remote-group"], ["x-remote-extra-"]],
  );
  trust.changed(map({ "client-ca-file": "" }));
  assert.deepEqual([changes, trust.pem], [2, []]); // an authority that is taken away is gone
  trust.changed(map({ "requestheader-client-ca-file": one.cert }, "another"));
  assert.equal(changes, 2);
});

for (const text of ["{", '"all"', "[1]", "{}"]) {
  test(`allowed names that are ${text} allow nobody`, () => {
    const trust = new ClusterTrust(() => undefined);
    trust.changed(map({ "requestheader-allowed-names": text }));
    assert.deepEqual(trust.frontProxy.allowedNames, ["\0"]);
  });
}
