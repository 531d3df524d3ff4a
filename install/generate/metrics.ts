/** docs/metrics.md, out of the figures that each role registers. */
import { Counter, Gauge, Histogram, type Metric } from "prom-client";
import { ApiMetrics } from "../../src/api/server/metrics.ts";
import type { Cache } from "../../src/node/cache/cache.ts";
import { AgentMetrics } from "../../src/roles/agent/metrics.ts";
import { ControllerMetrics } from "../../src/roles/controller/metrics.ts";
import { GcMetrics } from "../../src/roles/gc/metrics.ts";
import { WebhookMetrics } from "../../src/roles/webhook/metrics.ts";
import type { Metrics } from "../../src/system/metrics.ts";

const NO_CACHE = { spool: { entries: () => [] } } as unknown as Cache;
const NOTHING = { namespaces: () => [], in: () => [] } as never;

function controllerMetrics(): ControllerMetrics {
  const metrics = new ControllerMetrics();
  metrics.watch(NOTHING, NOTHING, () => 0);
  return metrics;
}

const PARTS: readonly { readonly title: string; readonly about: string; readonly metrics: Metrics }[] = [
  {
    title: "Agent",
    about: "One on each node; so sum them, or look at them by node.",
    metrics: new AgentMetrics(NO_CACHE),
  },
  {
    title: "Controller",
    about: "Only the one that leads has figures of dumps and quotas.",
    metrics: controllerMetrics(),
  },
  { title: "Collector", about: "`gc`. Only the one that leads removes anything.", metrics: new GcMetrics() },
  { title: "API server", about: "`apiserver`, on its own port.", metrics: new ApiMetrics() },
  { title: "Webhook", about: "`webhook`.", metrics: new WebhookMetrics() },
];

/** What to make of a figure: what its help text has no room for. */
const NOTES: Readonly<Record<string, string>> = {
  coredump_agent_captured_total: "A rise is a crash: of a program, not of this one.",
  coredump_agent_failures_total: "A rate that stays up for minutes wants a look at the agent's `/readyz`.",
  coredump_agent_pattern_conflicts_total: "Alarm on any: dumps go elsewhere meanwhile.",
  coredump_agent_queue_age_seconds: "Alarm above an hour: the store or the API server has been away for so long.",
  coredump_agent_queue_bytes: "Beside the room of the cache: what is not stored in time is evicted.",
  coredump_agent_refused_total: "By reason: `NoRoom` wants a larger cache, `OptedOut` is an owner's will.",
  coredump_agent_store_up: "Alarm on 0.",
  coredump_apiserver_store_up: "Alarm on 0.",
  coredump_gc_store_up: "Alarm on 0.",
  coredump_handler_seconds: "For so long no container could restart.",
  coredump_controller_leading: "Alarm when the sum is 0.",
  coredump_gc_leading: "Alarm when the sum is 0.",
  coredump_gc_alarm: "Alarm on 1, and look at the collector's log (docs/operations.md).",
  coredump_quota_used_bytes: "Against `coredump_quota_hard_bytes`: at 1 the namespace's next dump is Denied.",
  coredump_webhook_certificate_expires_timestamp_seconds: "Alarm less than a week before.",
};

/** Of whichever metric has it. */
const LABELS: Readonly<Record<string, string>> = {
  cause: "why a core is shorter than its headers say: `size-cap`, `disk-full`, `source-cut-short` …",
  code: "of failures: of the catalogue that `coredump-detector --help` lists under exit codes, in capitals (`STORE_UNAVAILABLE`); of the API server's requests: HTTP's",
  decision: "`Allowed` or `Denied`",
  namespace: "of the quota",
  over: "what a round looked at",
  quota: "name of the CoredumpQuota",
  reason: "of a refusal or a delivery, as in a Coredump's `status.reason` and its condition `Delivered`",
  resource: "as RBAC calls it: `coredumps/status`",
  state: "of a Coredump: `Saved`, `Denied` …; `none` before it has one",
  status: "of HTTP",
  verb: "as RBAC calls it",
  verdict: "`untouched`, `patched` or `denied`",
  what: "what was removed: `bundle`, `coredump`, `endpoint`, `upload`",
  why: "the rule that removed it",
};

/** What Node and the kernel tell of a process; prom-client documents them. */
const OF_PROCESS = /^(process|nodejs)_/;

const typeOf = (metric: Metric): string =>
  metric instanceof Counter
    ? "counter"
    : metric instanceof Gauge
      ? "gauge"
      : metric instanceof Histogram
        ? "histogram"
        : "summary";

interface Row {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labels: readonly string[];
}

const rowsOf = ({ registry }: Metrics): Row[] =>
  registry
    .getMetricsAsArray()
    .map((metric) => {
      const { name, help, labelNames } = metric as unknown as { name: string; help: string; labelNames: string[] };
      return { name, help, type: typeOf(metric as unknown as Metric), labels: labelNames };
    })
    .filter(({ name }) => !OF_PROCESS.test(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));

/** The page as Markdown. @throws Error when a note or a label is of no metric, or a label has no meaning */
export function metricsPage(): string {
  const all = PARTS.map((part) => ({ ...part, rows: rowsOf(part.metrics) }));
  const rows = all.flatMap((part) => part.rows);
  check(Object.keys(NOTES), new Set(rows.map(({ name }) => name)));
  const labels = new Set(rows.flatMap((row) => row.labels));
  check(Object.keys(LABELS), labels);
  check([...labels], new Set(Object.keys(LABELS)));
  const sections = all.map(({ title, about, rows }) => [
    `## ${title}`,
    about,
    "",
    "| metric | type | labels | |",
    "|---|---|---|---|",
    ...rows.map(line),
    "",
  ]);
  return [
    "# Metrics",
    "",
    "Generated by `npm run generate` from the sources; a test fails when the two differ.",
    "",
    "For Prometheus, at `/metrics`: port 9099 of agents, controller, collector and webhook (`--metrics-port`), the API server's own",
    "port. Counters begin at 0 with the process. Each part also has `process_…` and `nodejs_…`, what prom-client tells of any Node process.",
    "",
    ...sections.flat(),
    "## Labels",
    "| label | |",
    "|---|---|",
    ...Object.entries(LABELS).map(([label, meaning]) => `| \`${label}\` | ${meaning} |`),
    "",
  ].join("\n");
}

const line = ({ name, help, type, labels }: Row): string =>
  `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${[`${help}.`, NOTES[name]].filter(Boolean).join(" ")} |`;

function check(words: readonly string[], known: ReadonlySet<string>): void {
  const unknown = words.filter((word) => !known.has(word));
  if (unknown.length > 0) throw new Error(`docs/metrics.md: no such metric or label: ${unknown.join(", ")}`);
}
