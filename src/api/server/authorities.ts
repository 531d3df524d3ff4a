/** Certificate authorities, and for whom they vouch. */

import { X509Certificate } from "node:crypto";
import { ifPossible } from "../../domain/failures.ts";

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const MAX_CHAIN = 5;

export class Authorities {
  /** As TLS takes them. */
  readonly pem: readonly string[];
  readonly #certificates: readonly X509Certificate[];

  /** @param text certificates in PEM; what is none of them is left out */
  constructor(text: string) {
    const found = (text.match(PEM) ?? []).flatMap((pem) => {
      const certificate = ifPossible(() => new X509Certificate(pem));
      return certificate ? [{ pem, certificate }] : []; // one that cannot be read vouches for no certificate
    });
    this.pem = found.map(({ pem }) => pem);
    this.#certificates = found.map(({ certificate }) => certificate);
  }

  /**
   * Whether one of them signed it, or signed an authority that the peer sent along and that did. TLS has checked the chain
   * to any of all authorities that we know; this tells which, and as of now: a connection may be older than the authority's end.
   */
  vouchFor(certificate: X509Certificate, now: Date = new Date()): boolean {
    let link: X509Certificate | undefined = certificate;
    for (let length = 1; link && length <= MAX_CHAIN; length++) {
      const one: X509Certificate = link;
      if (!isValid(one, now)) return false;
      if (this.#certificates.some((authority) => isValid(authority, now) && isSignedBy(one, authority))) return true;
      const issuer: X509Certificate | undefined = one.issuerCertificate;
      link = issuer?.ca && isSignedBy(one, issuer) ? issuer : undefined;
    }
    return false;
  }
}

const isValid = ({ validFromDate, validToDate }: X509Certificate, now: Date): boolean =>
  validFromDate <= now && now <= validToDate;

const isSignedBy = (certificate: X509Certificate, authority: X509Certificate): boolean =>
  certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
