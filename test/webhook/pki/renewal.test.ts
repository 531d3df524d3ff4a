import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { makeAuthority } from "../../../src/webhook/pki/certificate.ts";
import { type Kept, renewed } from "../../../src/webhook/pki/renewal.ts";

const NAMES = ["coredump-webhook.coredump-system.svc", "198.18.0.1", "fd00::1"];
const DAY_MS = 24 * 3600_000;
const NOW_MS = Date.parse("2026-11-21T12:00:00Z");

const kept = renewed({}, NAMES, NOW_MS) as Kept;
const authorities = ({ "ca.crt": bundle }: Pick<Kept, "ca.crt">) => bundle.match(/BEGIN CERTIFICATE/g)?.length;
const after = (days: number, from: Partial<Kept> = kept, names = NAMES) => renewed(from, names, NOW_MS + days * DAY_MS);

test("renewed() makes all of nothing, and leaves it", () => {
  assert.equal(after(0), undefined);
  assert.equal(after(59), undefined);
  const server = new X509Certificate(kept["tls.crt"]);
  assert.equal(server.validFromDate.getTime(), NOW_MS - 3600_000); // for clocks that are behind
  assert.equal(server.validToDate.getTime(), NOW_MS + 90 * DAY_MS);
});

test("renewed() makes a new server certificate of the same CA when two thirds of its time are over", () => {
  const next = after(61) ?? assert.fail("nothing new");
  assert.equal(next["ca.crt"], kept["ca.crt"]);
  assert.equal(next["ca.key"], kept["ca.key"]);
  assert.notEqual(next["tls.crt"], kept["tls.crt"]);
  assert.equal(after(61 + 59, next), undefined);
});

test("renewed() makes a new CA a year before the end, and lets callers trust both until then", () => {
  const next = after(3650 - 364) ?? assert.fail("nothing new");
  assert.equal(authorities(next), 2);
  assert.ok(next["ca.crt"].endsWith(kept["ca.crt"]));
  assert.equal(after(3650 - 364, next), undefined);
  const later = after(3650 + 1, next) ?? assert.fail("nothing new");
  assert.equal(authorities(later), 1); // the first one has expired
});

for (const [on, change] of [
  ["no server certificate", { "tls.crt": "" }],
  ["a server key of another", { "tls.key": kept["ca.key"] }],
  ["text", { "tls.crt": "text" }],
  ["half a certificate", { "tls.crt": kept["tls.crt"].slice(0, 300) }],
] as const)
  test(`renewed() keeps the CA where there is ${on}`, () => {
    const next = after(0, { ...kept, ...change }) ?? assert.fail("nothing new");
    assert.equal(next["ca.crt"], kept["ca.crt"]);
    assert.equal(after(0, next), undefined);
  });

for (const [on, change] of [
  ["no CA", { "ca.crt": "" }],
  ["a CA without its key", { "ca.key": "" }],
  ["a key of another", { "ca.key": kept["tls.key"] }],
  ["a server certificate in the CA's place", { "ca.crt": kept["tls.crt"], "ca.key": kept["tls.key"] }],
  ["a CA that is not ours", foreign()],
] as const)
  test(`renewed() makes a new CA where there is ${on}`, () => {
    const next = after(0, { ...kept, ...change }) ?? assert.fail("nothing new");
    assert.notEqual(next["ca.key"], { ...kept, ...change }["ca.key"]);
    assert.equal(after(0, next), undefined);
  });

function foreign(): Partial<Kept> {
  const { cert, key } = makeAuthority("somebody else", { fromMs: NOW_MS, untilMs: NOW_MS + 3650 * DAY_MS });
  return { "ca.crt": cert, "ca.key": key };
}

test("renewed() makes a certificate for other names", () => {
  for (const names of [["other.svc"], [...NAMES, "198.18.0.2"], ["fd00::2"]]) {
    const next = after(0, kept, names) ?? assert.fail("nothing new");
    assert.equal(next["ca.crt"], kept["ca.crt"]);
    assert.equal(after(0, next, names), undefined);
  }
  assert.equal(after(0, kept, NAMES.slice(1)), undefined); // one name more than needed is no reason
});

test("renewed() trusts three former CAs at most, and none that has expired", () => {
  let bundle = kept["ca.crt"];
  for (let times = 0; times < 6; times++) bundle = after(0, { "ca.crt": bundle })?.["ca.crt"] ?? "";
  assert.equal(authorities({ "ca.crt": bundle }), 4);
  assert.equal(authorities(after(3651, { "ca.crt": bundle }) ?? kept), 1);
});
