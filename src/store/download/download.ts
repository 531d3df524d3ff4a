/**
 * The bytes of dumps for tenants (docs/download.md). Who asks was authenticated and authorised before: here
 * it is decided which bytes belong to what was named, and that they are the right ones.
 */
import { createHash } from "node:crypto";
import type { KubeHttp } from "../../kube/http.ts";
import type { Representation } from "./answer.ts";
import type { Bundles } from "./bundles.ts";

/** `core`: plain ELF files; `bundle`: as they lie in the store. */
export type DownloadPart = "core" | "bundle";

export interface DumpRequest {
  readonly namespace: string;
  /** Of the Coredump. */
  readonly name: string;
  readonly part: DownloadPart;
}

export interface EndpointRequest {
  readonly namespace: string;
  /** The one that the endpoint was made in; another one of the same name inherits nothing. */
  readonly namespaceUid: string;
  readonly podUid: string;
  /** Only this container's; exactly its name. Empty: all of them. */
  readonly container?: string | undefined;
  readonly part: DownloadPart;
}

/** Something to send: what of it, `answerFor` says. Holds nothing open. */
export interface Download extends Representation {
  /**
   * The bytes in [from, to). An error is for breaking off: what came before it is right. Stops working as soon as nobody
   * takes any more, or the signal fires. A chunk is the taker's only until it asks for the next one.
   */
  read(fromBytes: number, toBytes: number, signal: AbortSignal): AsyncIterable<Buffer>;
}

export interface Deps {
  /** As the server itself: it gets Coredumps and namespaces. */
  readonly kube: KubeHttp;
  readonly bundles: Bundles;
}

/** A short name for these texts: no other texts have it. */
export const digestOf = (...texts: readonly string[]): string =>
  createHash("sha256").update(JSON.stringify(texts)).digest("hex").slice(0, 32);
