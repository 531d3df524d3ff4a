/** What is measured, and what it must be. Bars: the issues about a node's crashes, and about a cluster's. */
import { join } from "node:path";
import { program } from "../support/paths.ts";
import { type CrashingContainer, crashingContainer } from "./container.ts";
import { restart } from "./controller.ts";
import { burst, dense, denseForked, onHost, PYTHON, sparse, TINY } from "./crashes.ts";
import { download } from "./download.ts";
import { besideEnded } from "./ended.ts";
import { cat, type Ours } from "./handlers.ts";
import { huge } from "./huge.ts";
import { idle } from "./idle.ts";
import { type Compared, type Measured, pairs } from "./pairs.ts";
import { unpackedSystemd } from "./programs.ts";
import { store } from "./store.ts";
import { systemdCoredump } from "./systemd.ts";
import { upload } from "./upload.ts";
import { usage } from "./usage.ts";
import { visibleS } from "./visible.ts";
import { reviews } from "./webhook.ts";

/** A case's part of its line: the figures, and whether they are what they must be. */
type Outcome = object & { readonly met: boolean };

interface Case {
  /** Pairs with a baseline; crashes or seconds where there is none. */
  readonly count: number;
  /** Whether it needs `testbed setup cluster`. */
  readonly cluster: boolean;
  /** @param former  another build, which is then the baseline: of the node's cases only */
  measure(count: number, ours: Ours, folder: string, former?: Ours): Promise<Outcome>;
}

const AT_ONCE = 20;
/** As many as a node keeps of dumps that are over. */
const MOST_RECORDS = 2000;
const UPLOADER = "zstd -1 | AWS SDK";

export const CASES: Readonly<Record<string, Case>> = {
  sparse: onNode(
    5,
    0.1,
    againstCat(() => ({ crash: sparse(), crashes: 1 })),
  ),
  dense: onNode(
    7,
    1,
    againstCat(() => ({ crash: dense(), crashes: 1 })),
  ),
  "dense-forked": onNode(
    7,
    1,
    againstCat(() => ({ crash: denseForked(), crashes: 1 })),
  ),
  "dense-drain": onNode(
    5,
    null,
    againstCat(() => ({ crash: dense(), crashes: 1 }), { capture: "drain" }),
  ),
  container: onNode(
    11,
    1,
    inContainer((container) => container.crash("/bin/crash", ...TINY)),
  ),
  "container-python": onNode(
    11,
    1,
    inContainer((container) => container.crash(PYTHON, "/bench/wait.py")),
  ),
  [`burst-${AT_ONCE}`]: onNode(
    5,
    null,
    againstCat(() => ({ crash: burst(AT_ONCE), crashes: AT_ONCE })),
  ),
  [`ended-${MOST_RECORDS}`]: onNode(21, 1.05, async (count, { name }, folder) => {
    const [base, beside] = [0, MOST_RECORDS].map((records, at) => besideEnded(name, join(folder, `${at}`), records));
    const measured = { crash: onHost(program("crash"), ...TINY), crashes: 1 };
    const compared = await pairs(count, measured, beside as Ours, base as Ours);
    return { baseline: "none ended", compared, extra: await usage(measured, beside as Ours) };
  }),
  store: inCluster(5, async (count, _, folder) => limited("ratio", 1.5, UPLOADER, await store(count, folder))),
  visible: inCluster(11, async (count, ours, folder) =>
    limited("medianS", 1.5, null, await visibleS(count, ours, folder)),
  ),
  upload: inCluster(5, async (count, ours, folder) =>
    limited("ratio", 1.5, UPLOADER, await upload(count, ours, folder)),
  ),
  huge: inCluster(1, async (_, ours, folder) => limited("maxRssMiB", 128, null, await huge(ours, folder))),
  idle: inCluster(60, async (seconds, ours, folder) => {
    const outcome = limited("maxRssMiB", 128, null, await idle(seconds, ours, folder));
    return { ...outcome, barCpuPercent: 0.5, met: outcome.met && outcome.cpuPercent <= 0.5 };
  }),
  controller: inCluster(5, async (count) => {
    const outcome = limited("ratio", 3, "kubectl get", await restart(count));
    const { met, maxRssMiB, lists, writes } = outcome;
    return { ...outcome, met: met && maxRssMiB <= 256 && lists <= 4 && writes === 0 };
  }),
  download: inCluster(5, async (count, { program }, folder) => {
    const outcome = limited("ratio", THROUGHPUT_BAR, "a file that Node serves", await download(count, program, folder));
    const peakMiB = Math.max(outcome.oneRssMiB, outcome.maxRssMiB);
    return { ...outcome, barMaxRssMiB: 200, met: outcome.met && peakMiB <= 200 };
  }),
  webhook: {
    ...{ count: 5, cluster: false },
    async measure(count, { program }, folder) {
      const outcome = limited(
        "ratio",
        THROUGHPUT_BAR,
        "Node, parse and serialise",
        await reviews(count, program, folder),
      );
      return { ...outcome, barP99Ms: 100, met: outcome.met && outcome.p99Ms <= 100 };
    },
  },
};

/** Throughput of 0.8 times the other's. */
const THROUGHPUT_BAR = 1 / 0.8;

function limited<F extends object>(figure: keyof F, bar: number, baseline: string | null, figures: F) {
  return { ...(baseline && { baseline }), ...figures, bar, met: Number(figures[figure]) <= bar };
}

/** For every handler, whatever the core's size. */
const MAX_RSS_MIB = 100;

interface Measurement {
  readonly baseline: string;
  readonly compared: Compared;
  readonly extra: Awaited<ReturnType<typeof usage>>;
}

type Measure = (count: number, ours: Ours, folder: string, former?: Ours) => Promise<Measurement>;

/** What two builds may differ by before one is called slower: runs of the same build differ by as much. */
const SAME = 1.05;

/** @param bar highest ratio; null where nothing is asked */
function onNode(count: number, bar: number | null, measure: Measure): Case {
  return {
    count,
    cluster: false,
    async measure(count, ours, folder, former) {
      const { baseline, compared, extra } = await measure(count, ours, folder, former);
      const limit = former ? SAME : bar;
      const met = (limit === null || compared.ratio <= limit) && extra.maxRssMiB <= MAX_RSS_MIB;
      return { baseline, ...compared, bar: limit, met, extra };
    },
  };
}

function inCluster(count: number, measure: Case["measure"]): Case {
  return { count, cluster: true, measure };
}

function againstCat(what: () => Measured, settings: Record<string, string> = {}): Measure {
  return async (count, ours, folder, former) => {
    for (const each of [ours, former]) each?.settings(settings);
    const base = former ?? cat(join(folder, "cat"));
    const measured = what();
    const compared = await pairs(count, measured, ours, base);
    return { baseline: base.name, compared, extra: await usage(measured, ours) };
  };
}

function inContainer(crashIn: (container: CrashingContainer) => () => Promise<number>): Measure {
  return async (count, ours, folder, former) => {
    await using container = await crashingContainer(join(folder, "container"));
    await using systemd = await systemdCoredump(unpackedSystemd(), join(folder, "s"));
    for (const each of [ours, former]) each?.settings({ "cri-endpoint": `unix://${container.engine.socket}` });
    const base = former ?? systemd;
    const identifying = {
      ...ours,
      async settle(crashes: number) {
        await ours.settle(crashes);
        const [record] = ours.records();
        if (record?.pod?.name !== "web-0" || record.container?.id !== container.containerId)
          throw new Error(`Cannot measure: a dump was not identified: ${record?.identity.problem}`);
      },
    };
    const measured = { crash: crashIn(container), crashes: 1 };
    const compared = await pairs(count, measured, identifying, base);
    return { baseline: base.name, compared, extra: await usage(measured, identifying) };
  };
}
