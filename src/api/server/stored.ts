/**
 * An object as it is stored: its JSON without the version, which is the storage's revision. It always begins the same, so
 * that the version can be put in without reading the rest: a list of ten thousand objects is copied, not parsed.
 */
import { type CoredumpEndpoint, GROUP_VERSION, KIND, RESOURCE } from "./kind.ts";

const BEGINNING = `{"apiVersion":"${GROUP_VERSION}","kind":"${KIND}","metadata":{`;

export function storedText({ metadata, spec, status }: CoredumpEndpoint): string {
  const { resourceVersion: _, ...meta } = metadata;
  return JSON.stringify({ apiVersion: GROUP_VERSION, kind: KIND, metadata: meta, spec, ...(status && { status }) });
}

/** JSON of the object in that version. */
export const jsonOf = (value: string, revision: bigint): string =>
  value.startsWith(BEGINNING)
    ? `${BEGINNING}"resourceVersion":"${revision}",${value.slice(BEGINNING.length)}`
    : JSON.stringify(endpointOf(value, revision));

export function endpointOf(value: string, revision: bigint): CoredumpEndpoint {
  const endpoint = JSON.parse(value) as CoredumpEndpoint;
  return { ...endpoint, metadata: { ...endpoint.metadata, resourceVersion: String(revision) } };
}

/** Keys of the objects: of one, of a namespace's, of all. */
export class Keys {
  readonly #root: string;

  /** @param prefix `/registry/fujitsu.com` */
  constructor(prefix: string) {
    this.#root = `${prefix}/${RESOURCE}/`;
  }

  of(namespace: string, name: string): string {
    return `${this.in(namespace)}${name}`;
  }

  /** Undefined: all namespaces. */
  in(namespace: string | undefined): string {
    return namespace === undefined ? this.#root : `${this.#root}${namespace}/`;
  }

  /** What a key says. Neither part has a slash in it. */
  named(key: string): { readonly namespace: string; readonly name: string } {
    const [namespace = "", name = ""] = key.slice(this.#root.length).split("/");
    return { namespace, name };
  }
}
