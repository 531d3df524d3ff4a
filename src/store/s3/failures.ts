/** What an S3 service, or the way to it, said no with. */
import { DumpError, errnoOf, type FailureCode, reasonOf } from "../../domain/failures.ts";

/** What a role does with the store. */
export type S3Act = "write" | "read" | "collect";

/** `why` stands in place of the service's own words, where those are for programmers. */
type Meaning = readonly [code: FailureCode, why: string | undefined, hint: string];

const WAIT = "nothing is lost: the dump stays on the node, and what was sent is not sent again";
const wrongKeys: Meaning = [
  "STORE_DENIED",
  "wrong credentials",
  "check the files access-key and secret-key in --s3-credentials-dir, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
];
const expired: Meaning = ["STORE_DENIED", "the credentials have expired", "renew the token or role"];
const noKeys: Meaning = [
  "STORE_DENIED",
  "there are no credentials",
  "give --s3-credentials-dir, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role for the pod or node",
];
const RIGHTS =
  "these credentials need s3:PutObject, s3:ListMultipartUploadParts and s3:AbortMultipartUpload below the prefix";
const mayNot: Meaning = ["STORE_DENIED", "access denied", RIGHTS];
/** What is said to who reads, or looks after the store, in the place of what is said to who writes. */
const HINTS: Readonly<Record<S3Act, ReadonlyMap<string, string>>> = {
  write: new Map(),
  read: new Map([
    [WAIT, "try again; the dump is in the store"],
    [RIGHTS, "its credentials need s3:GetObject below the prefix, and s3:ListBucket to see that an object is missing"],
  ]),
  collect: new Map([
    [WAIT, "it is tried again"],
    [
      RIGHTS,
      "its credentials need s3:ListBucket and s3:ListBucketMultipartUploads; below the prefix s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload",
    ],
  ]),
};
const noBucket: Meaning = ["STORE_MISSING", "no such bucket", "create the bucket, or correct --store"];
const full: Meaning = ["STORE_FULL", "the store is full", "make room in the store, or raise its quota"];
const damaged: Meaning = ["STORE_CORRUPT", "it was damaged on the way", "look at the network; it is sent again"];
const clock: Meaning = [
  "STORE_UNAVAILABLE",
  "this node's clock and the store's differ too much",
  "set the clock of the node (NTP)",
];
const region: Meaning = ["STORE_REFUSED", "the bucket is in another region", "correct --s3-region"];
const untrusted: Meaning = [
  "STORE_REFUSED",
  undefined,
  "give the authority that signed the service's certificate with --s3-ca-file; check the name in --s3-endpoint",
];

/** By the error's name: the service's own code, or the SDK's. */
const BY_NAME: Readonly<Record<string, Meaning>> = {
  InvalidAccessKeyId: wrongKeys,
  SignatureDoesNotMatch: wrongKeys,
  AuthorizationHeaderMalformed: region,
  PermanentRedirect: region,
  IllegalLocationConstraintException: region,
  ExpiredToken: expired,
  InvalidToken: expired,
  TokenRefreshRequired: expired,
  CredentialsProviderError: noKeys,
  RequestTimeTooSkewed: clock,
  NoSuchBucket: noBucket,
  InvalidBucketName: noBucket,
  BadDigest: damaged,
  XAmzContentSHA256Mismatch: damaged,
  IncompleteBody: damaged,
  QuotaExceeded: full,
  QuotaExceededException: full,
  XMinioStorageFull: full,
  XMinioAdminBucketQuotaExceeded: full,
};

/** Whatever error an answer of this status carries. */
function byStatus(status: number | undefined): Meaning | undefined {
  if (status === undefined) return undefined;
  if (status === 507) return full;
  if (status === 401 || status === 403) return mayNot;
  if (status === 404) return noBucket;
  if (status === 301 || status === 307) return region;
  if (status >= 500 || status === 429 || status === 408) return ["STORE_UNAVAILABLE", undefined, WAIT];
  if (status >= 400) return ["STORE_REFUSED", undefined, "the service cannot do what these settings ask of it"];
  return undefined;
}

/** OpenSSL's and Node's words for a certificate that is not trusted. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ALTNAME/;

interface SdkError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly code?: string;
}

/**
 * @param act  `put <key> into <volume>`
 * @param how  what was tried: the hints for it
 * @returns a DumpError; errors that are none of the store's pass through
 */
export function s3Failure(cause: unknown, act: string, how: S3Act): unknown {
  if (cause instanceof DumpError || !(cause instanceof Error)) return cause;
  const { name, code, $metadata } = cause as SdkError;
  const status = $metadata?.httpStatusCode;
  const [failure, why, usual] = BY_NAME[name] ?? byStatus(status) ?? onTheWay(cause, code);
  const hint = HINTS[how].get(usual) ?? usual;
  const said = [name, status].filter((word) => word !== undefined && word !== "Error").join(", ");
  const words = why ?? reasonOf(cause);
  return new DumpError(failure, `Cannot ${act}: ${words}${status === undefined ? "" : ` (${said})`}`, { cause, hint });
}

function onTheWay(cause: Error, code: string | undefined): Meaning {
  if (code !== undefined && CERTIFICATE.test(code)) return untrusted;
  const why = WORDS[errnoOf(cause) ?? ""] ?? WORDS[cause.name]; // the SDK calls broken connections TimeoutErrors, too
  if (/region is missing/i.test(cause.message)) return ["STORE_REFUSED", "no region is set", "give --s3-region"];
  return ["STORE_UNAVAILABLE", why, why === undefined ? "check that --s3-endpoint is an S3 service" : WAIT];
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the store refuses the connection: nothing listens there",
  ECONNRESET: "the store broke the connection off",
  EPIPE: "the store broke the connection off",
  ETIMEDOUT: "the store does not answer",
  TimeoutError: "the store does not answer",
  EHOSTUNREACH: "there is no way to the store",
  ENETUNREACH: "there is no way to the store",
  ENOTFOUND: "the name of the store's host is unknown",
  EAI_AGAIN: "the name of the store's host cannot be looked up",
};
