/** Certificates of our own making (RFC 5280): ECDSA on P-256, what every TLS peer of today takes. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";
import { isIP } from "node:net";
import { bits, implicit, integer, objectId, octets, sequence, setOf, TRUE, tagged, time, utf8 } from "./der.ts";

/** As PEM. */
interface Issued {
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Issued {
  /** The common name, which is all of its name. */
  readonly name: string;
}

interface Validity {
  readonly fromMs: number;
  readonly untilMs: number;
}

const ECDSA_WITH_SHA256 = sequence(objectId("1.2.840.10045.4.3.2"));
const COMMON_NAME = objectId("2.5.4.3");
const SERVER_AUTH = objectId("1.3.6.1.5.5.7.3.1");
/** Numbers of extensions, below 2.5.29. */
const SUBJECT_KEY = 14;
const KEY_USAGE = 15;
const ALT_NAME = 17;
const BASIC_CONSTRAINTS = 19;
const AUTHORITY_KEY = 35;
const EXTENDED_KEY_USAGE = 37;

/** A CA that signs itself. */
export function makeAuthority(name: string, validity: Validity): Authority {
  const { key, publicKey } = newKey();
  const extensions = [
    extension(BASIC_CONSTRAINTS, sequence(TRUE), "critical"),
    extension(KEY_USAGE, bits(Buffer.from([0b0000_0110]), 1), "critical"), // keyCertSign, cRLSign
    extension(SUBJECT_KEY, octets(keyId(publicKey))),
  ];
  return { name, key, cert: certificate({ name, issuer: name, issuerKey: key, publicKey, validity, extensions }) };
}

/** @param names  of the server: host names and addresses; at least one */
export function issue(authority: Authority, names: readonly string[], validity: Validity): Issued {
  const { key, publicKey } = newKey();
  const authorityKey = createPublicKey(createPrivateKey(authority.key)).export({ type: "spki", format: "der" });
  const extensions = [
    extension(BASIC_CONSTRAINTS, sequence(), "critical"),
    extension(KEY_USAGE, bits(Buffer.from([0b1000_0000]), 7), "critical"), // digitalSignature
    extension(EXTENDED_KEY_USAGE, sequence(SERVER_AUTH)),
    extension(SUBJECT_KEY, octets(keyId(publicKey))),
    extension(AUTHORITY_KEY, sequence(implicit(0, keyId(authorityKey)))),
    extension(ALT_NAME, sequence(...names.map(altName))),
  ];
  const name = (names[0] ?? "").slice(0, 64); // what a common name may hold; the names that count are the others
  const { name: issuer, key: issuerKey } = authority;
  return { key, cert: certificate({ name, issuer, issuerKey, publicKey, validity, extensions }) };
}

function newKey() {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    publicKey: publicKey.export({ type: "spki", format: "der" }),
  };
}

interface Contents {
  readonly name: string;
  readonly issuer: string;
  /** PEM. */
  readonly issuerKey: string;
  readonly publicKey: Buffer;
  readonly validity: Validity;
  readonly extensions: readonly Buffer[];
}

function certificate({ name, issuer, issuerKey, publicKey, validity, extensions }: Contents): string {
  const toSign = sequence(
    tagged(0, integer(Buffer.from([2]))), // version 3
    integer(randomBytes(16)),
    ECDSA_WITH_SHA256,
    distinguished(issuer),
    sequence(time(validity.fromMs), time(validity.untilMs)),
    distinguished(name),
    publicKey,
    tagged(3, sequence(...extensions)),
  );
  const whole = sequence(toSign, ECDSA_WITH_SHA256, bits(sign("sha256", toSign, issuerKey)));
  return new X509Certificate(whole).toString();
}

const distinguished = (commonName: string): Buffer => sequence(setOf(sequence(COMMON_NAME, utf8(commonName))));

const extension = (number: number, content: Buffer, critical?: "critical"): Buffer =>
  sequence(objectId(`2.5.29.${number}`), ...(critical ? [TRUE] : []), octets(content));

const keyId = (publicKey: Buffer): Buffer => createHash("sha256").update(publicKey).digest().subarray(0, 20);

/** IPv6 has many spellings; this is the one that a URL has: hexadecimal groups, at most one gap. */
export const plainName = (name: string): string =>
  isIP(name) === 6 ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name.toLowerCase();

const altName = (name: string): Buffer =>
  isIP(name) === 0 ? implicit(2, Buffer.from(name)) : implicit(7, addressBytes(plainName(name)));

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split(".").map(Number));
  const [left = [], right = []] = address.split("::").map((side) => (side === "" ? [] : side.split(":")));
  const gap = Array<string>(8 - left.length - right.length).fill("0");
  return Buffer.from([...left, ...gap, ...right].map((group) => group.padStart(4, "0")).join(""), "hex");
}
