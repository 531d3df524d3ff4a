/**
 * Whom this cluster lets speak for others: ConfigMap kube-system/extension-apiserver-authentication, which kube-apiserver keeps.
 * Followed, because authorities are replaced while we run. When it goes away, what it last said holds.
 */
import { ifPossible } from "../../domain/failures.ts";
import type { Follower, Kind } from "../../kube/informer.ts";
import { collection, type KubeObject } from "../../kube/objects.ts";
import { Authorities } from "./authorities.ts";

const NAME = "extension-apiserver-authentication";

export const TRUST: Kind = {
  resource: "configmaps",
  path: collection("v1", "configmaps", "kube-system"),
  query: { fieldSelector: `metadata.name=${NAME}` },
};

/** Header names are in lower case. */
export interface FrontProxy {
  readonly authorities: Authorities;
  /** Common names of its certificate; none: any. */
  readonly allowedNames: readonly string[];
  readonly userHeaders: readonly string[];
  readonly uidHeaders: readonly string[];
  readonly groupHeaders: readonly string[];
  readonly extraPrefixes: readonly string[];
}

export type TrustMap = KubeObject & { readonly data?: Readonly<Record<string, string>> };

const NOBODY = new Authorities("");

export class ClusterTrust implements Follower<TrustMap> {
  readonly #onChange: () => void;
  /** Whether it has ever been read. */
  known = false;
  clients = NOBODY;
  frontProxy: FrontProxy = frontProxyIn({});

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** All authorities, as TLS takes them. */
  get pem(): string[] {
    return [...this.clients.pem, ...this.frontProxy.authorities.pem];
  }

  listed(map: TrustMap): void {
    this.changed(map);
  }

  listEnded(): void {}

  changed({ metadata, data = {} }: TrustMap): void {
    if (metadata.name !== NAME) return;
    this.clients = new Authorities(data["client-ca-file"] ?? "");
    this.frontProxy = frontProxyIn(data);
    this.known = true;
    this.#onChange();
  }

  deleted(): void {}
}

function frontProxyIn(data: Readonly<Record<string, string>>): FrontProxy {
  const list = (key: string): string[] => namesIn(data[`requestheader-${key}`]).map((name) => name.toLowerCase());
  return {
    authorities: new Authorities(data["requestheader-client-ca-file"] ?? ""),
    allowedNames: namesIn(data["requestheader-allowed-names"]),
    userHeaders: list("username-headers"),
    uidHeaders: list("uid-headers"),
    groupHeaders: list("group-headers"),
    extraPrefixes: list("extra-headers-prefix"),
  };
}

/** A list of texts in JSON. One that cannot be read becomes a name that no certificate can have: an empty list would allow all. */
function namesIn(text: string | undefined): string[] {
  if (text === undefined || text === "") return [];
  const names: unknown = ifPossible(() => JSON.parse(text));
  return Array.isArray(names) && names.every((name) => typeof name === "string") ? names : ["\0"];
}
