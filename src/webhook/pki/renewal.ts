/**
 * A CA and a server certificate that are kept somewhere, and what of them to renew. Pure but for new keys.
 * The CA's key is kept beside them: a CA that stays is a CA that callers know already.
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { ifPossible } from "../../domain/failures.ts";
import { type Authority, issue, makeAuthority, plainName } from "./certificate.ts";

/** PEM texts, under the names that they have in a Secret. */
export interface Kept {
  /** The CA that signs, then former ones that have not expired: callers trust them all. */
  readonly "ca.crt": string;
  readonly "ca.key": string;
  readonly "tls.crt": string;
  readonly "tls.key": string;
}

const NAME = "coredump-detector webhook";
const DAY_MS = 24 * 3600_000;
const AUTHORITY_DAYS = 3650;
const SERVER_DAYS = 90;
/** Renewed when no more than this is left. An authority outlives all that it signs. */
const AUTHORITY_LEFT_DAYS = 365;
const SERVER_LEFT_DAYS = 30;
/** Callers read them all at each change. */
const MOST_FORMER = 3;
/** For callers whose clock is behind ours. */
const SKEW_MS = 3600_000;

/**
 * @param kept   what was found, of whatever quality
 * @param names  that the server is called by
 * @returns what to keep from now on; undefined when all is well
 */
export function renewed(kept: Partial<Kept>, names: readonly string[], nowMs: number): Kept | undefined {
  const authority = signing(kept, nowMs);
  if (authority && serves(kept, authority, names, nowMs)) return undefined;
  const signer = authority ?? makeAuthority(NAME, validity(nowMs, AUTHORITY_DAYS));
  const server = issue(signer, names, validity(nowMs, SERVER_DAYS));
  const former = trusted(kept["ca.crt"], nowMs)
    .filter((each) => each !== signer.cert)
    .slice(0, MOST_FORMER);
  return {
    "ca.crt": [signer.cert, ...former].join(""),
    "ca.key": signer.key,
    "tls.crt": server.cert,
    "tls.key": server.key,
  };
}

const validity = (nowMs: number, days: number) => ({ fromMs: nowMs - SKEW_MS, untilMs: nowMs + days * DAY_MS });

function signing(kept: Partial<Kept>, nowMs: number): Authority | undefined {
  const [cert = ""] = certificatesIn(kept["ca.crt"]);
  const key = kept["ca.key"] ?? "";
  const isGood = holds(cert, key, nowMs + AUTHORITY_LEFT_DAYS * DAY_MS);
  return isGood && new X509Certificate(cert).subject === `CN=${NAME}` ? { name: NAME, cert, key } : undefined;
}

function serves(kept: Partial<Kept>, authority: Authority, names: readonly string[], nowMs: number): boolean {
  const { "tls.crt": cert = "", "tls.key": key = "" } = kept;
  if (!holds(cert, key, nowMs + SERVER_LEFT_DAYS * DAY_MS)) return false;
  const server = new X509Certificate(cert);
  const isNamed = (name: string) => (isIP(name) ? server.checkIP(name) : server.checkHost(name, { wildcards: false }));
  return server.verify(new X509Certificate(authority.cert).publicKey) && names.map(plainName).every(isNamed);
}

/** Whether the key is the certificate's, and it is good until then. */
function holds(cert: string, key: string, untilMs: number): boolean {
  const certificate = certificateIn(cert);
  if (!certificate || certificate.validToDate.getTime() <= untilMs) return false;
  return ifPossible(() => certificate.checkPrivateKey(createPrivateKey(key))) === true;
}

/** What is no certificate is as good as none. */
const certificateIn = (pem: string): X509Certificate | undefined => ifPossible(() => new X509Certificate(pem));

const trusted = (bundle: string | undefined, nowMs: number): string[] =>
  certificatesIn(bundle).filter((cert) => {
    const certificate = certificateIn(cert);
    return certificate?.ca === true && certificate.validToDate.getTime() > nowMs;
  });

const certificatesIn = (bundle = ""): string[] =>
  [...bundle.matchAll(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g)].map(([pem]) => pem);
