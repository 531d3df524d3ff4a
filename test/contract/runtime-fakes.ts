/** Run-times that answer as a test wants: well, wrongly, never. */
import { once } from "node:events";
import { createServer as createHttp } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import {
  Server as GrpcServer,
  loadPackageDefinition,
  ServerCredentials,
  type ServiceClientConstructor,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { ROOT } from "../support/paths.ts";
import { tempDir } from "../support/tmp.ts";

export interface Fake extends AsyncDisposable {
  /** Path of its socket. */
  readonly socket: string;
}

/** An answer of a gRPC method, or its failure: `{ code, details }`. */
export type CriAnswers = Readonly<Record<string, (request: Record<string, unknown>) => object>>;

const packages = loadPackageDefinition(loadSync(join(ROOT, "containerd/cri.proto"), { longs: String, enums: String }));

/** A gRPC server of both CRI services; a method without an answer is unimplemented. */
export async function fakeCri(answers: CriAnswers): Promise<Fake> {
  const folder = tempDir();
  const socket = join(folder.path, "cri.sock");
  const server = new GrpcServer();
  // biome-ignore lint/suspicious/noExplicitAny: services are described by cri.proto, at run time
  const { RuntimeService, ImageService } = (packages["runtime"] as any).v1 as Record<string, ServiceClientConstructor>;
  for (const service of [RuntimeService, ImageService].map((each) => each?.service ?? {})) {
    const methods = Object.keys(service).filter((method) => answers[method]);
    const handlers = methods.map((method) => [
      method,
      // biome-ignore lint/suspicious/noExplicitAny: as above
      (call: { request: any }, done: (error: object | null, answer?: object) => void) => {
        const answer = answers[method]?.(call.request) ?? {};
        "code" in answer ? done(answer) : done(null, answer);
      },
    ]);
    server.addService(service, Object.fromEntries(handlers));
  }
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix://${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  );
  return {
    socket,
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
      folder[Symbol.dispose]();
    },
  };
}

/** An HTTP server with Docker's answers by path; the rest is 404. */
export function fakeDocker(
  answer: (path: string) => { status?: number; body: string | object } | undefined,
): Promise<Fake> {
  return listening(
    createHttp((request, response) => {
      const { status = 200, body } = answer(request.url ?? "") ?? {
        status: 404,
        body: { message: "No such container" },
      };
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(typeof body === "string" ? body : JSON.stringify(body));
    }),
  );
}

/** A server that does as `greet` says with each connection, and nothing more: hangs, talks nonsense, hangs up. */
export const fakeServer = (greet: (connection: Socket) => void): Promise<Fake> =>
  listening(createServer((connection) => greet(connection.on("error", () => {}))));

async function listening(server: Server): Promise<Fake> {
  const folder = tempDir();
  const socket = join(folder.path, "fake.sock");
  const connections = new Set<Socket>();
  server.on("connection", (connection) => connections.add(connection)).listen(socket);
  await once(server, "listening");
  return {
    socket,
    async [Symbol.asyncDispose]() {
      for (const connection of connections) connection.destroy();
      server.close();
      folder[Symbol.dispose]();
    },
  };
}

/** A socket file that nobody listens on any more. */
export async function deserted(): Promise<Fake> {
  const folder = tempDir();
  const socket = join(folder.path, "gone.sock");
  const listen = `require("node:net").createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, "SIGKILL"))`;
  const { spawn } = await import("node:child_process");
  await once(spawn(process.execPath, ["-e", listen]), "exit");
  return { socket, [Symbol.asyncDispose]: async () => folder[Symbol.dispose]() };
}
