/** What roles have in common that run in the cluster: a log, and for those whose work one at a time does, the Lease. */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Logger } from "pino";
import type { Counter, Gauge } from "prom-client";
import type { KubeHttp } from "../kube/http.ts";
import { lead } from "../kube/lease.ts";
import { RoleLog } from "./role-log.ts";

/**
 * JSON lines, with times as ISO 8601 in milliseconds and levels by name: in every role alike, and as the handler's own log
 * has them (system/log.ts). @param fd 1, or 2
 */
export async function logOf({ verbosity }: { readonly verbosity: number }, fd: 1 | 2 = 1): Promise<Logger> {
  const { pino } = await import("pino");
  const how = {
    ...{ level: verbosity > 0 ? "debug" : "info", base: null, timestamp: pino.stdTimeFunctions.isoTime },
    formatters: { level: (level: string) => ({ level }) },
  };
  return pino(how, pino.destination({ fd, sync: true }));
}

/** The log of a role that has no lines of its own kind. */
export const roleLog = async (
  settings: { readonly verbosity: number },
  { failures }: { readonly failures: Counter },
): Promise<RoleLog> => new RoleLog(await logOf(settings), (code) => failures.inc({ code }));

interface Led {
  readonly http: KubeHttp;
  readonly settings: { readonly systemNamespace: string; readonly leaseMs: number };
  readonly log: RoleLog;
  readonly metrics: { readonly leading: Gauge };
}

/** Stands by until it has the lead, then works until it loses it, until `signal`. @param work never throws */
export async function underLease(
  { http, settings, log, metrics }: Led,
  lease: string,
  work: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const candidate = {
    namespace: settings.systemNamespace,
    lease,
    identity: `${hostname()}_${randomUUID()}`,
    durationS: Math.max(Math.ceil(settings.leaseMs / 1000), 1),
    onProblem: (error: unknown) => log.trouble(`lease ${lease}`, error),
  };
  const leadIt = async (leading: AbortSignal) => {
    log.note("Leading");
    metrics.leading.set(1);
    try {
      await work(leading);
    } finally {
      metrics.leading.set(0);
      log.forget();
      log.note("No longer leading");
    }
  };
  log.note("Standing by", { identity: candidate.identity });
  await lead(http, candidate, leadIt, signal);
}
