/** What a role tells its orchestrator: /healthz (alive), /readyz (at work, or why not), /metrics (Prometheus). */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { DumpError, reasonOf } from "../domain/failures.ts";
import type { Metrics } from "../system/metrics.ts";

interface Health {
  /** Why it would be better restarted; undefined while it would not. */
  readonly alive?: () => string | undefined;
  /** Why the role is not doing all of its work; empty when it is. */
  readonly problems: () => readonly string[];
  /** In Prometheus's text format. */
  readonly metrics: () => Promise<string>;
}

/** Serves what a role reports of itself until it is disposed of; nothing where the settings say port 0. */
export const serveRole = async (
  { metricsPort }: { readonly metricsPort: number },
  { registry }: Metrics,
  role: Omit<Health, "metrics">,
): Promise<AsyncDisposable | undefined> =>
  metricsPort === 0 ? undefined : await serveHealth(metricsPort, { ...role, metrics: () => registry.metrics() });

/**
 * @param port 0: any free one
 * @throws DumpError SETTINGS_INVALID when the port cannot be had
 */
export async function serveHealth(port: number, health: Health): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer((request, response) => {
    void answer(request.url ?? "", response, health);
  });
  server.requestTimeout = 10_000;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen(port, resolve);
  await promise.catch((error) => {
    throw new DumpError("SETTINGS_INVALID", `Cannot listen on port ${port}: ${reasonOf(error)}`, { cause: error });
  });
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { port: (server.address() as AddressInfo).port, [Symbol.asyncDispose]: close };
}

async function answer(url: string, response: ServerResponse, health: Health): Promise<void> {
  const say = (status: number, text: string) => response.writeHead(status, { "content-type": "text/plain" }).end(text);
  try {
    const dead = health.alive?.();
    if (url === "/healthz") say(dead === undefined ? 200 : 503, `${dead ?? "ok"}\n`);
    else if (url === "/metrics") say(200, await health.metrics());
    else if (url === "/readyz") {
      const problems = health.problems();
      say(problems.length === 0 ? 200 : 503, problems.length === 0 ? "ok\n" : `${problems.join("\n")}\n`);
    } else say(404, "not here\n");
  } catch (error) {
    say(500, `${reasonOf(error)}\n`);
  }
}
