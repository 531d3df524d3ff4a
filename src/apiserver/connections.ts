/**
 * How many connections there are. Who has shown a certificate that one of the cluster's authorities signed (the front
 * proxy above all, through which nearly all requests come) is no stranger; strangers have places of their own, so that
 * they cannot take those of others.
 */
import type { Server } from "node:https";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

const MOST = 2000;
const STRANGERS = 500;
const STRANGERS_OF_ONE_ADDRESS = 64;

export function limitConnections(server: Server): void {
  server.maxConnections = MOST;
  const strangers = new Map<string, Set<number>>();
  let count = 0;
  const forget = (address: string, port: number) => {
    const ports = strangers.get(address);
    if (!ports?.delete(port)) return;
    count--;
    if (ports.size === 0) strangers.delete(address);
  };
  server.on("connection", (socket: Socket) => {
    const { remoteAddress: address = "", remotePort: port = 0 } = socket;
    const ports = strangers.get(address) ?? new Set();
    if (count >= STRANGERS || ports.size >= STRANGERS_OF_ONE_ADDRESS) {
      socket.destroy();
      return;
    }
    strangers.set(address, ports.add(port));
    count++;
    socket.once("close", () => forget(address, port));
  });
  server.on("secureConnection", (socket: TLSSocket) => {
    if (socket.authorized) forget(socket.remoteAddress ?? "", socket.remotePort ?? 0);
  });
}
