/** How many connections a TLS server has at once, so that no client takes the places of the others. */
import type { Server } from "node:https";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

interface ConnectionLimits {
  readonly all: number;
  /** Of clients that have shown no certificate of an authority that we know. */
  readonly strangers: number;
  readonly strangersOfOneAddress: number;
}

/** What is beyond the limits is closed at once, before its handshake. */
export function limitConnections(server: Server, { all, strangers, strangersOfOneAddress }: ConnectionLimits): void {
  server.maxConnections = all;
  /** Ports by address. */
  const known = new Map<string, Set<number>>();
  let count = 0;
  const forget = (address: string, port: number) => {
    const ports = known.get(address);
    if (!ports?.delete(port)) return;
    count--;
    if (ports.size === 0) known.delete(address);
  };
  server.on("connection", (socket: Socket) => {
    const { remoteAddress: address = "", remotePort: port = 0 } = socket;
    const ports = known.get(address) ?? new Set();
    if (count >= strangers || ports.size >= strangersOfOneAddress) {
      socket.destroy();
      return;
    }
    known.set(address, ports.add(port));
    count++;
    socket.once("close", () => forget(address, port));
  });
  server.on("secureConnection", (socket: TLSSocket) => {
    if (socket.authorized) forget(socket.remoteAddress ?? "", socket.remotePort ?? 0);
  });
}
