/** Calls to etcd, whichever member answers. */
import type { Client, ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import type { Root, Type } from "protobufjs";
import type { StorageSettings } from "../../../config/storage-options.ts";
import { DumpError, reasonOf } from "../../../domain/failures.ts";
import { assetText } from "../../../system/asset.ts";
import { EtcdEndpoint, endpointsOf, type Grpc } from "./endpoints.ts";
import { etcdFailure, isMembersOwn } from "./failures.ts";
import type { EtcdAnswers, WatchResponse } from "./messages.ts";

const PROTO = "etcd/rpc.proto";
const SHOWN = { longs: String, enums: String, defaults: true };

/** Times of etcd, which tests shorten. */
export interface EtcdPatience {
  /** For a connection to one member. */
  readonly connectMs: number;
  /** For an answer. */
  readonly answerMs: number;
  /** For a watch to come back. */
  readonly returnMs: number;
}
const PATIENCE: EtcdPatience = { connectMs: 3000, answerMs: 10_000, returnMs: 30_000 };

type WatchStream = ClientDuplexStream<object, WatchResponse>;

export class EtcdClient {
  readonly patience: EtcdPatience;
  readonly #grpc: Grpc;
  readonly #types: Root;
  readonly #members: readonly EtcdEndpoint[];
  /** The member that answered last. */
  #current = 0;

  private constructor(grpc: Grpc, types: Root, members: readonly EtcdEndpoint[], patience: EtcdPatience) {
    this.#grpc = grpc;
    this.#types = types;
    this.#members = members;
    this.patience = patience;
  }

  /** @throws DumpError SETTINGS_INVALID. Whether anybody answers is not asked yet */
  static async open(settings: StorageSettings, patience: Partial<EtcdPatience> = {}): Promise<EtcdClient> {
    const urls = endpointsOf(settings.etcdServers ?? "");
    const [grpc, protobuf] = await Promise.all([import("@grpc/grpc-js"), import("protobufjs")]);
    const types = protobuf.default.parse(assetText(PROTO)).root;
    types.resolveAll();
    const members = urls.map((url) => new EtcdEndpoint(grpc, url, settings));
    return new EtcdClient(grpc, types, members, { ...PATIENCE, ...patience });
  }

  /**
   * One call. It is sent once: whether a write that failed was done is unknown.
   * @throws DumpError API_GONE, API_INVALID, STORAGE_UNAVAILABLE; the signal's reason
   */
  async call<M extends keyof EtcdAnswers>(method: M, request: object, signal?: AbortSignal): Promise<EtcdAnswers[M]> {
    const { asked, answered, path } = this.#method(method);
    const client = await this.#connected(signal);
    signal?.throwIfAborted();
    const deadline = Date.now() + this.patience.answerMs;
    try {
      return await new Promise((resolve, reject) => {
        const call = client.makeUnaryRequest(
          path,
          (message: object) => encoded(asked, message),
          (bytes: Buffer) => decoded(answered, bytes) as EtcdAnswers[M],
          request,
          { deadline },
          (error: ServiceError | null, answer?: EtcdAnswers[M]) => {
            signal?.removeEventListener("abort", cancel);
            if (error || !answer) reject(error);
            else resolve(answer);
          },
        );
        const cancel = (): void => call.cancel();
        signal?.addEventListener("abort", cancel);
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw this.failure(error);
    }
  }

  /** The stream of one watch; its owner cancels it. */
  async watch(signal: AbortSignal): Promise<WatchStream> {
    const { asked, answered, path } = this.#method("Watch/Watch");
    const client = await this.#connected(signal);
    const metadata = new this.#grpc.Metadata();
    metadata.set("hasleader", "true"); // a member that lost the others ends it, instead of waiting for them
    const stream: WatchStream = client.makeBidiStreamRequest(
      path,
      (message: object) => encoded(asked, message),
      (bytes: Buffer) => decoded(answered, bytes) as WatchResponse,
      metadata,
    );
    stream.on("error", () => undefined); // its reader gets it, too; after its end there is none
    return stream;
  }

  /** What went wrong, in our words; the next call goes to another member when it is this one's own trouble. */
  failure(error: unknown): DumpError {
    if (error instanceof DumpError) return error;
    const at = this.#member;
    if (isMembersOwn(error)) this.#current++;
    return etcdFailure(error, at.name);
  }

  close(): void {
    for (const member of this.#members) member.close();
  }

  get #member(): EtcdEndpoint {
    return this.#members[this.#current % this.#members.length] as EtcdEndpoint;
  }

  /** @throws DumpError STORAGE_UNAVAILABLE when none of the members can be reached */
  async #connected(signal?: AbortSignal): Promise<Client> {
    let why: unknown;
    for (const _ of this.#members) {
      signal?.throwIfAborted();
      const member = this.#member;
      try {
        return await member.connected(this.patience.connectMs);
      } catch (error) {
        why = error;
        if (this.#member === member) this.#current++;
      }
    }
    signal?.throwIfAborted();
    if (why instanceof DumpError) throw why;
    const names = this.#members.map(({ name }) => name).join(", ");
    throw new DumpError("STORAGE_UNAVAILABLE", `Cannot reach etcd at ${names}: ${reasonOf(why)}`, {
      cause: why,
      hint: "check --etcd-servers, --etcd-cafile, --etcd-certfile, --etcd-keyfile, and that etcd runs",
    });
  }

  #method(name: keyof EtcdAnswers | "Watch/Watch"): { asked: Type; answered: Type; path: string } {
    const [service = "", method = ""] = name.split("/");
    const { resolvedRequestType: asked, resolvedResponseType: answered } =
      this.#types.lookupService(`etcdserverpb.${service}`).methods[method] ?? {};
    if (!asked || !answered) throw new Error(`${PROTO} has no ${name}`);
    return { asked, answered, path: `/etcdserverpb.${name}` };
  }
}

const encoded = (type: Type, message: object): Buffer => Buffer.from(type.encode(type.fromObject(message)).finish());
const decoded = (type: Type, bytes: Buffer): object => type.toObject(type.decode(bytes), SHOWN);
