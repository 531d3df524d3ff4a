/** What is measured, and what it must be. Bars: issue "A real crash on a node becomes a complete, identified dump". */
import { join } from "node:path";
import { type CrashingContainer, crashingContainer } from "./container.ts";
import { burst, dense, PYTHON, sparse, TINY } from "./crashes.ts";
import { cat, type Handler, type Ours } from "./handlers.ts";
import { type Measured, pairs, rounded, type Times } from "./pairs.ts";
import { unpackedSystemd } from "./programs.ts";
import { systemdCoredump } from "./systemd.ts";
import { type Usage, usage } from "./usage.ts";

/** One line of the output. */
export interface Line {
  readonly case: string;
  readonly baseline: string;
  readonly pairs: number;
  readonly ours: Times;
  readonly base: Times;
  /** Of the medians. */
  readonly ratio: number;
  readonly bar: number | null;
  readonly met: boolean;
  readonly extra: Usage & Record<string, number>;
}

/** For every case, whatever the core's size. */
const MAX_RSS_MIB = 100;
const AT_ONCE = 20;

interface Case {
  readonly pairs: number;
  /** Highest ratio; null where nothing is asked. */
  readonly bar: number | null;
  measure(count: number, ours: Ours, folder: string): Promise<[Handler["name"], Times, Times, Line["extra"]]>;
}

export const CASES: Readonly<Record<string, Case>> = {
  sparse: { pairs: 5, bar: 0.1, measure: againstCat(() => ({ crash: sparse(), crashes: 1 })) },
  dense: { pairs: 7, bar: 1, measure: againstCat(() => ({ crash: dense(), crashes: 1 })) },
  container: { pairs: 11, bar: 1, measure: inContainer((container) => container.crash("/bin/crash", ...TINY)) },
  "container-python": {
    pairs: 11,
    bar: 1,
    measure: inContainer((container) => container.crash(PYTHON, "/bench/wait.py")),
  },
  [`burst-${AT_ONCE}`]: {
    pairs: 5,
    bar: null,
    measure: againstCat(() => ({ crash: burst(AT_ONCE), crashes: AT_ONCE })),
  },
};

export async function measure(name: string, count: number, ours: Ours, folder: string): Promise<Line> {
  const { bar, measure } = CASES[name] as Case;
  const [baseline, own, base, extra] = await measure(count, ours, folder);
  const ratio = rounded(own.medianS / base.medianS);
  const met = (bar === null || ratio <= bar) && extra.maxRssMiB <= MAX_RSS_MIB;
  return { case: name, baseline, pairs: count, ours: own, base, ratio, bar, met, extra };
}

function againstCat(what: () => Measured): Case["measure"] {
  return async (count, ours, folder) => {
    const base = cat(join(folder, "cat"));
    const measured = what();
    const [own, other] = await pairs(count, measured, ours, base);
    return [base.name, own, other, { ...(await usage(measured, ours)) }];
  };
}

function inContainer(crashIn: (container: CrashingContainer) => () => Promise<number>): Case["measure"] {
  return async (count, ours, folder) => {
    await using container = await crashingContainer(join(folder, "container"));
    await using base = await systemdCoredump(unpackedSystemd(), join(folder, "s"));
    ours.settings({ "cri-endpoint": `unix://${container.engine.socket}` });
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
    const [own, other] = await pairs(count, measured, identifying, base);
    return [base.name, own, other, { ...(await usage(measured, identifying)) }];
  };
}
