/**
 * Who asks. In this order: whom the front proxy names (kube-apiserver, which has already authenticated them), whom a client
 * certificate of the cluster names, whom a bearer token names. There are no anonymous requests.
 */

import { createHash, type X509Certificate } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import { ifPossible } from "../../domain/failures.ts";
import type { KubeHttp } from "../../kube/http.ts";
import type { ClusterTrust, FrontProxy } from "./cluster-trust.ts";
import { Places } from "./places.ts";
import { badRequest, unauthorized } from "./status-error.ts";
import { TimedCache } from "./timed-cache.ts";

export interface User {
  readonly name: string;
  readonly uid?: string | undefined;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

const KNOWN_TOKEN_MS = 10_000;
const UNKNOWN_TOKEN_MS = 2_000;
/** Reviews of tokens at once: of strangers, whom kube-apiserver would be asked about. */
const REVIEWS = 64;
const REVIEWS_OF_ONE_ADDRESS = 8;
const MAX_TOKEN = 16_384;
const AUTHENTICATED = "system:authenticated";

export class Authentication {
  readonly #trust: ClusterTrust;
  readonly #http: KubeHttp;
  readonly #tokens = new TimedCache<User | undefined>((user) => (user ? KNOWN_TOKEN_MS : UNKNOWN_TOKEN_MS));
  readonly #reviews = new Places("reviews of tokens", REVIEWS, REVIEWS_OF_ONE_ADDRESS);

  constructor(trust: ClusterTrust, http: KubeHttp) {
    this.#trust = trust;
    this.#http = http;
  }

  /** @throws StatusError 400, 401, 429; DumpError when the cluster cannot be asked */
  async userOf(request: IncomingMessage): Promise<User> {
    const user = byCertificate(request, this.#trust) ?? (await this.#byToken(request));
    if (!user) throw unauthorized();
    // kube-apiserver acts upon these and takes them away; a client that connects directly would only seem to be another user.
    if (request.headers["impersonate-user"] !== undefined)
      throw badRequest("Impersonate-User is for requests through kube-apiserver");
    return { ...user, groups: [...new Set([...user.groups, AUTHENTICATED])] };
  }

  async #byToken({ headers, socket }: IncomingMessage): Promise<User | undefined> {
    const [, token] = /^Bearer +([\x21-\x7e]+)$/i.exec(headers.authorization ?? "") ?? [];
    if (token === undefined || token.length > MAX_TOKEN) return undefined;
    const key = createHash("sha256").update(token).digest("base64");
    return await this.#tokens.get(key, async () => {
      using _place = this.#reviews.take(socket.remoteAddress ?? "");
      return await this.#review(token);
    });
  }

  async #review(token: string): Promise<User | undefined> {
    const [apiVersion, kind] = ["authentication.k8s.io/v1", "TokenReview"];
    const path = "/apis/authentication.k8s.io/v1/tokenreviews";
    const body = { apiVersion, kind, metadata: {}, spec: { token } };
    const { status } = await this.#http.json<TokenReview>({ verb: "create", resource: "tokenreviews", path, body });
    if (status?.authenticated !== true || !status.user?.username) return undefined;
    const { username, uid, groups = [], extra = {} } = status.user;
    return { name: username, uid, groups, extra };
  }
}

interface TokenReview {
  readonly status?: {
    readonly authenticated?: boolean;
    readonly user?: {
      readonly username?: string;
      readonly uid?: string;
      readonly groups?: readonly string[];
      readonly extra?: Readonly<Record<string, readonly string[]>>;
    };
  };
}

/** @returns undefined when there is no certificate, or none that we can use */
function byCertificate(request: IncomingMessage, { clients, frontProxy }: ClusterTrust): User | undefined {
  const socket = request.socket as TLSSocket;
  const certificate = socket.getPeerX509Certificate?.();
  if (!certificate || !socket.authorized) return undefined;
  if (frontProxy.authorities.vouchFor(certificate) && isAllowed(certificate, frontProxy)) {
    const user = namedBy(request.headersDistinct, frontProxy);
    if (user) return user;
  }
  return clients.vouchFor(certificate) ? subjectOf(certificate) : undefined;
}

function isAllowed(certificate: X509Certificate, { allowedNames }: FrontProxy): boolean {
  const { CN } = certificate.toLegacyObject().subject;
  return allowedNames.length === 0 || (typeof CN === "string" && allowedNames.includes(CN));
}

function namedBy(headers: IncomingMessage["headersDistinct"], proxy: FrontProxy): User | undefined {
  const { userHeaders, uidHeaders, groupHeaders, extraPrefixes } = proxy;
  const first = (names: readonly string[]) =>
    names.flatMap((name) => headers[name] ?? []).find((value) => value !== "");
  const name = first(userHeaders);
  if (name === undefined) return undefined;
  const extra = Object.entries(headers).flatMap(([header, values = []]) => {
    const prefix = extraPrefixes.find((each) => header.startsWith(each));
    return prefix === undefined ? [] : [[decoded(header.slice(prefix.length)), values] as const];
  });
  return {
    name,
    uid: first(uidHeaders),
    groups: groupHeaders.flatMap((header) => headers[header] ?? []),
    extra: Object.fromEntries(extra),
  };
}

/** Keys of extra are percent-encoded where a header could not have them. */
const decoded = (key: string): string => ifPossible(() => decodeURIComponent(key)) ?? key;

/** As kube-apiserver reads client certificates: CN is the user, each O a group. */
function subjectOf(certificate: X509Certificate): User | undefined {
  const { CN, O = [] } = certificate.toLegacyObject().subject as { CN?: string | string[]; O?: string | string[] };
  if (typeof CN !== "string" || CN === "") return undefined;
  return { name: CN, groups: [O].flat(), extra: {} };
}
