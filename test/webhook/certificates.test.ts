/** The webhook's own certificate with several replicas, in any order of their requests. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { DumpError } from "../../src/domain/failures.ts";
import type { KubeHttp, KubeRequest } from "../../src/kube/http.ts";
import { lookAfter, namesOf, ownKeyPairs } from "../../src/webhook/certificates.ts";
import { type Kept, renewed } from "../../src/webhook/pki/renewal.ts";
import { runs } from "../support/runs.ts";

const NOW_MS = Date.parse("2026-11-21T12:00:00Z");
const DAY_MS = 24 * 3600_000;
const settings = { systemNamespace: "coredump-system", secret: "coredump-webhook", configuration: "coredump-webhook" };
const never = new AbortController().signal;
const SECRET = "/api/v1/namespaces/coredump-system/secrets/coredump-webhook";
const CONFIGURATION = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/coredump-webhook";

const toBase64 = (text: string) => Buffer.from(text).toString("base64");
const fromBase64 = (text = "") => Buffer.from(text, "base64").toString();
const keptAt = (nowMs: number, from: Partial<Kept> = {}) => renewed(from, namesOf(settings), nowMs) as Kept;

/** Secret and configuration, with versions that must be the right ones. */
class Api {
  // biome-ignore lint/suspicious/noExplicitAny: two kinds of objects
  readonly objects = new Map<string, any>();
  #version = 0;

  constructor(secret: Kept | undefined, caBundle: string | undefined) {
    if (secret) this.#store(SECRET, { type: "Opaque", data: this.#encoded(secret) });
    if (caBundle !== undefined) {
      const clientConfig = { url: "https://x", ...(caBundle && { caBundle: toBase64(caBundle) }) };
      this.#store(CONFIGURATION, {
        webhooks: [
          { name: "a", clientConfig },
          { name: "b", clientConfig: {} },
        ],
      });
    }
  }

  #encoded = (kept: Kept) => Object.fromEntries(Object.entries(kept).map(([key, value]) => [key, toBase64(value)]));

  #store(path: string, object: object): void {
    const metadata = { name: "coredump-webhook", resourceVersion: `${++this.#version}` };
    this.objects.set(path, { ...object, metadata });
  }

  get bundles(): string[] {
    const { webhooks } = this.objects.get(CONFIGURATION) as { webhooks: { clientConfig: { caBundle?: string } }[] };
    return webhooks.map(({ clientConfig }) => fromBase64(clientConfig.caBundle));
  }

  get secret(): Kept {
    const entries = Object.entries<string>(this.objects.get(SECRET).data);
    return Object.fromEntries(entries.map(([key, value]) => [key, fromBase64(value)])) as unknown as Kept;
  }

  serve({ verb, path, body }: KubeRequest): object {
    if (verb === "create") {
      if (this.objects.has(SECRET)) throw new DumpError("API_CONFLICT", "it is there already");
      this.#store(SECRET, body as object);
      return this.objects.get(SECRET);
    }
    const object = this.objects.get(path);
    if (!object) throw new DumpError("NOT_FOUND", `Cannot ${verb} ${path}`);
    if (verb === "get") return object;
    assert.equal(verb, "update");
    const { metadata } = body as { metadata: { resourceVersion: string } };
    if (metadata.resourceVersion !== object.metadata.resourceVersion)
      throw new DumpError("API_CONFLICT", "it was changed");
    this.#store(path, body as object);
    return this.objects.get(path);
  }

  /** A client whose requests `on` lets through. */
  client(on: () => Promise<unknown> = async () => undefined): KubeHttp {
    const json = async <T>(request: KubeRequest) => {
      await on();
      const answer = structuredClone(this.serve(request)) as T;
      await on();
      return answer;
    };
    return { json } as KubeHttp;
  }
}

const isTrusted = (cert: string, bundle: string): boolean =>
  (bundle.match(/-----BEGIN[^-]*-----[^-]*-----END[^-]*-----/g) ?? []).some((ca) =>
    new X509Certificate(cert).verify(new X509Certificate(ca).publicKey),
  );

test("lookAfter() makes Secret and caBundle of nothing, and leaves them", async () => {
  const api = new Api(undefined, "");
  const { kept, problem } = await lookAfter(api.client(), settings, NOW_MS, never);
  assert.equal(problem, undefined);
  assert.deepEqual(api.secret, kept);
  assert.deepEqual(api.bundles, [kept["ca.crt"], kept["ca.crt"]]);
  assert.equal(api.objects.get(SECRET).type, "kubernetes.io/tls");
  const before = structuredClone([...api.objects]);
  assert.deepEqual((await lookAfter(api.client(), settings, NOW_MS, never)).kept, kept);
  assert.deepEqual([...api.objects], before);
});

test("lookAfter() keeps what else is in Secret and configuration", async () => {
  const old = keptAt(NOW_MS - 70 * DAY_MS);
  const api = new Api(old, old["ca.crt"]);
  api.objects.get(SECRET).data.note = toBase64("mine");
  await lookAfter(api.client(), settings, NOW_MS, never);
  assert.equal((api.secret as unknown as { note: string }).note, "mine");
  assert.equal(api.objects.get(SECRET).type, "Opaque");
  assert.equal(api.objects.get(CONFIGURATION).webhooks[0].clientConfig.url, "https://x");
});

test("lookAfter() without a configuration has a certificate all the same, and says what is missing", async () => {
  const api = new Api(undefined, undefined);
  const { kept, problem } = await lookAfter(api.client(), settings, NOW_MS, never);
  assert.deepEqual(api.secret, kept);
  assert.match(`${problem}`, /Cannot find mutatingwebhookconfigurations coredump-webhook/);
});

const old = keptAt(NOW_MS);
/** How things are when replicas look; `served` is what some still serve. */
const SITUATIONS = [
  { on: "nothing is there", secret: undefined, bundle: "", served: [] },
  { on: "all is well", secret: old, bundle: old["ca.crt"], served: [old] },
  { on: "the server certificate is old", secret: keptAt(NOW_MS - 61 * DAY_MS), bundle: undefined, served: "secret" },
  {
    on: "the CA is old",
    secret: keptAt(NOW_MS - 30 * DAY_MS, keptAt(NOW_MS - 3300 * DAY_MS)),
    bundle: undefined,
    served: "secret",
  },
  { on: "the Secret was deleted", secret: undefined, bundle: old["ca.crt"], served: [old] },
  { on: "somebody emptied caBundle", secret: old, bundle: "", served: [] },
] as const;

for (const { on, secret, bundle = secret?.["ca.crt"] ?? "", served } of SITUATIONS)
  test(`lookAfter() by three replicas, when ${on}: one pair, and what is served is trusted at every moment`, async () => {
    const property = fc.asyncProperty(fc.scheduler(), async (scheduler) => {
      const api = new Api(secret, bundle);
      const inUse: Kept[] = served === "secret" ? [secret] : [...served];
      const check = () => {
        for (const { "tls.crt": cert } of inUse)
          for (const each of api.bundles.slice(0, 1))
            assert.ok(isTrusted(cert, each), "a certificate that nobody trusts");
      };
      const replica = async (client: KubeHttp, nowMs: number): Promise<void> => {
        for (;;)
          try {
            const { kept } = await lookAfter(client, settings, nowMs, never);
            inUse.push(kept);
            return;
          } catch (error) {
            assert.equal((error as DumpError).code, "API_CONFLICT");
          }
      };
      const client = () => api.client(() => scheduler.schedule(Promise.resolve()).then(check));
      // The third one's clock is behind: it finds well what the others renew.
      const clocks = [NOW_MS, NOW_MS, NOW_MS - 60 * DAY_MS];
      await scheduler.waitFor(Promise.all(clocks.map((nowMs) => replica(client(), nowMs))));
      assert.deepEqual((await lookAfter(api.client(), settings, NOW_MS, never)).kept, api.secret);
      assert.deepEqual(api.bundles, [api.secret["ca.crt"], api.secret["ca.crt"]]);
    });
    await fc.assert(property, { numRuns: runs(60) });
  });

test("ownKeyPairs() gives a certificate, tells of failures, and ends with its signal", async () => {
  const api = new Api(undefined, "");
  const problems: unknown[] = [];
  const stopping = new AbortController();
  let failures = 2;
  const client = api.client(async () => {
    if (failures-- > 0) throw new DumpError("API_UNAVAILABLE", "Cannot get secrets: away");
  });
  const source = { nowMs: () => NOW_MS, onProblem: (problem: unknown) => problems.push(problem) };
  const pairs = ownKeyPairs(client, settings, source, stopping.signal);
  const { value } = await pairs.next();
  assert.deepEqual([value?.cert, value?.key], [api.secret["tls.crt"], api.secret["tls.key"]]);
  assert.deepEqual(problems.map(String), Array(2).fill("DumpError: Cannot get secrets: away").concat("undefined"));
  const ended = pairs.next();
  stopping.abort();
  assert.equal((await ended).done, true);
});

for (const names of ["https://x", "a.example:8443", "a b", "", "a,,b", "*.example"])
  test(`namesOf() refuses ${JSON.stringify(names)}`, () =>
    assert.throws(() => namesOf({ ...settings, names }), { code: "USAGE" }));

test("namesOf() takes hosts and addresses, and the Service's name where none is given", () => {
  assert.deepEqual(namesOf({ ...settings, names: "a.example, 10.0.0.1,fd00::1" }), [
    "a.example",
    "10.0.0.1",
    "fd00::1",
  ]);
  assert.deepEqual(namesOf(settings), ["coredump-webhook.coredump-system.svc"]);
});
