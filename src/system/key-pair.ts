/** A TLS server's certificate and key, read again as their files change: Secrets are renewed under running programs. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { DumpError, reasonOf } from "../domain/failures.ts";
import { pause } from "./backoff.ts";

/** As PEM; what node:tls takes. */
export interface KeyPair {
  /** The server's own certificate first, then those between it and its CA. */
  readonly cert: string;
  readonly key: string;
  /** Whose clients are let in; without it clients need no certificate. */
  readonly ca?: string | undefined;
}

export interface KeyPairFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile?: string | undefined;
}

/** @throws DumpError SETTINGS_INVALID when a file cannot be read or the two do not fit */
export function readKeyPair({ certFile, keyFile, clientCaFile }: KeyPairFiles): KeyPair {
  const files = [certFile, keyFile, clientCaFile].filter((file) => file !== undefined);
  return usable({ cert: readPem(certFile), key: readPem(keyFile), ca: clientCaFile && readPem(clientCaFile) }, files);
}

/**
 * The pair, if a server can be started with it.
 * @param from  where it comes from, for the message
 * @throws DumpError SETTINGS_INVALID
 */
export function usable(pair: KeyPair, from: readonly string[]): KeyPair {
  try {
    createSecureContext({ ...pair });
    if (pair.ca !== undefined) new X509Certificate(pair.ca); // a context takes any text, and then refuses every client
    return pair;
  } catch (error) {
    throw new DumpError("SETTINGS_INVALID", `Cannot use ${from.join(", ")}: ${reasonOf(error)}`, { cause: error });
  }
}

/** @throws DumpError SETTINGS_INVALID */
export function readPem(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new DumpError("SETTINGS_INVALID", `Cannot read ${file}: ${reasonOf(error)}`, { cause: error });
  }
}

/** When the certificate ends, in milliseconds since the epoch. */
export const expiryMs = ({ cert }: Pick<KeyPair, "cert">): number => new X509Certificate(cert).validToDate.getTime();

/** Polled, not watched: a volume's files change by links on the way, and a look costs nothing. */
const LOOK_MS = 5000;

/**
 * The pair, then each that is another one, until the signal aborts. What cannot be used later on (half written, a key of
 * another certificate) is reported and skipped.
 * @param onProblem  gets what is wrong with the files, and undefined at each look at which nothing is
 * @throws DumpError SETTINGS_INVALID when there is none to begin with
 */
export async function* keyPairsIn(
  files: KeyPairFiles,
  onProblem: (problem: unknown) => void,
  signal: AbortSignal,
  lookMs: number = LOOK_MS,
): AsyncGenerator<KeyPair> {
  let known = readKeyPair(files);
  yield known;
  while (!signal.aborted) {
    await pause(lookMs, signal);
    try {
      const found = readKeyPair(files);
      onProblem(undefined);
      if (found.cert === known.cert && found.key === known.key && found.ca === known.ca) continue;
      known = found;
    } catch (error) {
      onProblem(error);
      continue;
    }
    yield known;
  }
}
