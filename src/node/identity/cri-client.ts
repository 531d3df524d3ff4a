/** CRI calls over a unix socket. gRPC costs some 40 ms to load, so it is loaded by the first call that finds a listener. */
import { createConnection } from "node:net";
import type { Client, ServiceError } from "@grpc/grpc-js";
import type { Root } from "protobufjs";
import { DumpError } from "../../domain/failures.ts";
import { assetText } from "../../system/asset.ts";
import { whyUnreachable } from "./unreachable.ts";

const PROTO = "containerd/cri.proto";
const MAX_ANSWER_BYTES = 4 << 20;

/**
 * One connection to a run-time.
 * Errors   RUNTIME_UNAVAILABLE when there is no answer, not in CRI v1, or with a failure; RUNTIME_ANSWER_INVALID when the
 *          answer cannot be used; the signal's reason when it aborts.
 */
export class CriClient implements Disposable {
  readonly #socket: string;
  readonly #client: Client;
  readonly #types: Root;

  private constructor(socket: string, client: Client, types: Root) {
    this.#socket = socket;
    this.#client = client;
    this.#types = types;
  }

  static async connect(socket: string, signal: AbortSignal): Promise<CriClient> {
    await probe(socket, signal);
    const [{ Client, credentials }, protobuf] = await Promise.all([import("@grpc/grpc-js"), import("protobufjs")]);
    const client = new Client(`unix://${socket}`, credentials.createInsecure(), {
      "grpc.default_authority": "localhost", // Go's servers refuse what gRPC makes of a socket's path
      "grpc.enable_http_proxy": 0,
      "grpc.max_receive_message_length": MAX_ANSWER_BYTES,
    });
    return new CriClient(socket, client, protobuf.default.parse(assetText(PROTO)).root);
  }

  /**
   * One call by its name (`ContainerStatus`).
   * @returns the answer as a plain object in camel case; undefined when the run-time says NOT_FOUND
   */
  async call(method: string, request: object, signal: AbortSignal): Promise<unknown> {
    signal.throwIfAborted();
    const service = method.startsWith("Image") ? "ImageService" : "RuntimeService";
    const asked = this.#types.lookupType(`runtime.v1.${method}Request`);
    const answered = this.#types.lookupType(`runtime.v1.${method}Response`);
    return await new Promise((resolve, reject) => {
      const call = this.#client.makeUnaryRequest(
        `/runtime.v1.${service}/${method}`,
        (message: object) => Buffer.from(asked.encode(asked.fromObject(message)).finish()),
        (bytes: Buffer) => answered.toObject(answered.decode(bytes), { longs: String, enums: String, defaults: true }),
        request,
        (error: ServiceError | null, answer?: object) => {
          signal.removeEventListener("abort", cancel);
          if (!error) resolve(answer);
          else if (signal.aborted) reject(signal.reason);
          else if (isNotFound(error)) resolve(undefined);
          else reject(this.#failure(error));
        },
      );
      const cancel = (): void => call.cancel();
      signal.addEventListener("abort", cancel, { once: true });
    });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  #failure(error: ServiceError): DumpError {
    const cannot = `Cannot ask the run-time at ${this.#socket}`;
    const why = `${STATUS[error.code] ?? `gRPC status ${error.code}`} (${error.details.slice(0, 200)})`;
    const unusable = error.code === INTERNAL || error.code === RESOURCE_EXHAUSTED;
    const code = unusable ? "RUNTIME_ANSWER_INVALID" : "RUNTIME_UNAVAILABLE";
    return new DumpError(code, `${cannot}: ${why}`, { cause: error });
  }
}

const UNKNOWN = 2;
const NOT_FOUND = 5;
const RESOURCE_EXHAUSTED = 8;
const UNIMPLEMENTED = 12;
const INTERNAL = 13;
const UNAVAILABLE = 14;

const STATUS: Readonly<Record<number, string>> = {
  [UNKNOWN]: "it failed",
  [RESOURCE_EXHAUSTED]: "its answer is too large",
  [UNIMPLEMENTED]: "it does not speak CRI v1",
  [INTERNAL]: "its answer makes no sense",
  [UNAVAILABLE]: "the connection failed",
};

/** cri-dockerd passes Docker's own words on as UNKNOWN; there is nothing else in its answer to tell by. */
const isNotFound = ({ code, details }: ServiceError): boolean =>
  code === NOT_FOUND || (code === UNKNOWN && /no such container/i.test(details));

/** Whether something listens: finds the errno, which gRPC buries in its words, and spares loading gRPC for nothing. */
async function probe(socket: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const connection = createConnection(socket);
  const abort = (): unknown => connection.destroy(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    await new Promise<void>((resolve, reject) => connection.once("connect", resolve).once("error", reject));
  } catch (error) {
    signal.throwIfAborted();
    const why = whyUnreachable(error);
    throw new DumpError("RUNTIME_UNAVAILABLE", `Cannot ask the run-time at ${socket}: ${why}`, { cause: error });
  } finally {
    signal.removeEventListener("abort", abort);
    connection.on("error", () => {}).destroy();
  }
}
