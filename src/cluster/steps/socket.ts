/**
 * `<dump-dir>/.agent.sock`: an agent that is alive listens there. A handler that has finished a dump says its id, one a
 * line, and is answered `ok`; without an answer, it registers the dump itself. The directory is root's alone.
 */
import { rmSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { join } from "node:path";
import { isDumpId } from "../../domain/id.ts";

const socketPath = (dumpDir: string): string => join(dumpDir, ".agent.sock");

/** A Unix socket's path (unix(7), sun_path). Longer ones are reached through a shorter way to the same directory. */
const MAX_PATH = 107;
const LINE_BYTES = 200;

/** Listens until disposed of. @throws the errno of bind(2) */
export async function listenForHandlers(dumpDir: string, heard: (id: string) => void): Promise<AsyncDisposable> {
  const path = within(socketPath(dumpDir));
  rmSync(path, { force: true }); // a killed agent's
  const server = createServer((connection) => {
    let line = "";
    connection.setTimeout(2000, () => connection.destroy());
    connection.on("error", () => undefined);
    connection.on("data", (bytes) => {
      line += bytes.toString("latin1");
      if (line.length > LINE_BYTES) connection.destroy();
      if (!line.endsWith("\n")) return;
      if (isDumpId(line.trim())) heard(line.trim());
      connection.end("ok\n");
    });
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(path, resolve));
  return {
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

/** @returns whether an agent answered in time */
export function tellAgent(dumpDir: string, id: string, withinMs = 1000): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = createConnection(within(socketPath(dumpDir)));
    const end = (answered: boolean) => {
      connection.destroy();
      resolve(answered);
    };
    connection.setTimeout(withinMs, () => end(false));
    connection.on("error", () => end(false));
    connection.on("close", () => end(false));
    connection.on("connect", () => connection.write(`${id}\n`));
    connection.on("data", (bytes) => end(bytes.toString("latin1").startsWith("ok")));
  });
}

/** The kernel takes no longer path; from the directory itself it is short. */
function within(path: string): string {
  if (Buffer.byteLength(path) > MAX_PATH) throw new Error(`the path of ${path} is too long for a socket`);
  return path;
}
