/** What roles have in common that run in the cluster: a log, and for those whose work one at a time does, the Lease. */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Logger } from "pino";
import type { Gauge } from "prom-client";
import type { KubeHttp } from "../kube/http.ts";
import { lead } from "../kube/lease.ts";
import type { Diary } from "./diary.ts";

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

interface Led {
  readonly http: KubeHttp;
  readonly settings: { readonly systemNamespace: string; readonly leaseMs: number };
  readonly diary: Diary;
  readonly metrics: { readonly leading: Gauge };
}

/** Stands by until it has the lead, then works until it loses it, until `signal`. @param work never throws */
export async function underLease(
  { http, settings, diary, metrics }: Led,
  lease: string,
  work: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const candidate = {
    namespace: settings.systemNamespace,
    lease,
    identity: `${hostname()}_${randomUUID()}`,
    durationS: Math.max(Math.ceil(settings.leaseMs / 1000), 1),
    onProblem: (error: unknown) => diary.trouble(`lease ${lease}`, error),
  };
  const leadIt = async (leading: AbortSignal) => {
    diary.note("Leading");
    metrics.leading.set(1);
    try {
      await work(leading);
    } finally {
      metrics.leading.set(0);
      diary.forget();
      diary.note("No longer leading");
    }
  };
  diary.note("Standing by", { identity: candidate.identity });
  await lead(http, candidate, leadIt, signal);
}
