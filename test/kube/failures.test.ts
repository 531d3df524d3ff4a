import assert from "node:assert/strict";
import { test } from "node:test";
import { failureOf } from "../../src/kube/failures.ts";

const asked = { verb: "list", resource: "coredumps" };
const status = (message: string, more: object = {}): string => JSON.stringify({ kind: "Status", message, ...more });
const FORBIDDEN =
  'coredumps is forbidden: User "x" cannot list resource "coredumps" in API group "coredump.fujitsu.com" at the cluster scope';

const cases = [
  {
    on: "RBAC",
    http: 403,
    body: status(FORBIDDEN),
    code: "API_DENIED",
    says: /cannot list resource/,
    hint: /"list" on "coredumps".*install\/rbac/,
  },
  {
    on: "an admission policy",
    http: 403,
    body: status("denied by policy"),
    code: "API_DENIED",
    says: /denied by policy/,
    hint: /admission policy/,
  },
  {
    on: "a namespace that is going away",
    http: 403,
    body: status("because it is being terminated", { details: { causes: [{ reason: "NamespaceTerminating" }] } }),
    code: "NOT_FOUND",
    says: /being terminated/,
    hint: null,
  },
  {
    on: "our own API server, whose store is away",
    http: 503,
    body: status("Cannot read k in s3://cores: the store does not answer", {
      details: { causes: [{ reason: "STORE_UNAVAILABLE" }] },
    }),
    code: "API_UNAVAILABLE",
    says: /s3:\/\/cores: the store does not answer/,
    hint: /^the store fails, not the API/,
  },
  {
    on: "an unknown user",
    http: 401,
    body: status("Unauthorized"),
    code: "API_DENIED",
    says: /Unauthorized/,
    hint: /credentials/,
  },
  {
    on: "a missing object",
    http: 404,
    body: status('"a" not found', { details: { name: "a" } }),
    code: "NOT_FOUND",
    says: /not found/,
    hint: null,
  },
  {
    on: "a missing kind",
    http: 404,
    body: "404 page not found\n",
    code: "API_KIND_MISSING",
    says: /Cannot list coredumps: 404 page not found$/,
    hint: /install\/crd/,
  },
  { on: "a conflict", http: 409, body: status("changed"), code: "API_CONFLICT", says: /changed/, hint: null },
  { on: "an old version", http: 410, body: status("too old"), code: "API_GONE", says: /too old/, hint: null },
  {
    on: "a version of before a restore",
    http: 504,
    body: status("Too large resource version: 9, current: 4"),
    code: "API_GONE",
    says: /Too large/,
    hint: null,
  },
  { on: "an invalid object", http: 422, body: status("invalid"), code: "API_INVALID", says: /invalid/, hint: null },
  { on: "a busy server", http: 429, body: status("slow down"), code: "API_UNAVAILABLE", says: /slow down/, hint: null },
  { on: "a proxy's page", http: 502, body: "", code: "API_UNAVAILABLE", says: /the server answered 502/, hint: null },
];
for (const { on, http, body, code, says, hint } of cases) {
  test(`failureOf() understands ${on}`, () => {
    const failure = failureOf(asked, http, body);
    assert.equal(failure.code, code);
    assert.match(failure.message, says);
    if (hint) assert.match(failure.hint ?? "", hint);
    else assert.equal(failure.hint, undefined);
  });
}
