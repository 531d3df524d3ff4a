/** What is measured, and what it must be. Bars: issue "A real crash on a node becomes a complete, identified dump". */
import { join } from "node:path";
import { type CrashingContainer, crashingContainer } from "./container.ts";
import { burst, dense, PYTHON, sparse, TINY } from "./crashes.ts";
import { cat, type Handler, type Ours } from "./handlers.ts";
import { type Compared, type Measured, pairs } from "./pairs.ts";
import { unpackedSystemd } from "./programs.ts";
import { systemdCoredump } from "./systemd.ts";
import { type Usage, usage } from "./usage.ts";

/** One line of the output. */
export interface Line extends Compared {
  readonly case: string;
  readonly baseline: string;
  readonly pairs: number;
  readonly bar: number | null;
  readonly met: boolean;
  readonly extra: Usage;
}

/** For every case, whatever the core's size. */
const MAX_RSS_MIB = 100;
const AT_ONCE = 20;

interface Measurement {
  readonly baseline: Handler["name"];
  readonly compared: Compared;
  readonly extra: Usage;
}

interface Case {
  readonly pairs: number;
  /** Highest ratio; null where nothing is asked. */
  readonly bar: number | null;
  measure(count: number, ours: Ours, folder: string): Promise<Measurement>;
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
  const { baseline, compared, extra } = await measure(count, ours, folder);
  const met = (bar === null || compared.ratio <= bar) && extra.maxRssMiB <= MAX_RSS_MIB;
  return { case: name, baseline, pairs: count, ...compared, bar, met, extra };
}

function againstCat(what: () => Measured): Case["measure"] {
  return async (count, ours, folder) => {
    const base = cat(join(folder, "cat"));
    const measured = what();
    const compared = await pairs(count, measured, ours, base);
    return { baseline: base.name, compared, extra: await usage(measured, ours) };
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
    const compared = await pairs(count, measured, identifying, base);
    return { baseline: base.name, compared, extra: await usage(measured, identifying) };
  };
}
