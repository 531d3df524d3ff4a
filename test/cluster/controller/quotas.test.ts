/** Two controllers at once, each with a view that lags, either killed at any request: no quota is ever exceeded. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { QuotaKeeper } from "../../../src/cluster/controller/quotas.ts";
import { dumpView, type QuotaObject, quotaView } from "../../../src/cluster/controller/view.ts";
import type { Coredump } from "../../../src/kube/coredump.ts";
import { Mirror } from "../../../src/kube/mirror.ts";
import { FakeApi } from "../../roles/fake-api.ts";
import { runs } from "../../support/runs.ts";

const HARD = 10;
const HOLDING = ["Allowed", "Saved", "FailedToSave"];

/** A controller with its own view, which sees of the log only what `see` shows it. */
class Controller {
  readonly dumps = new Mirror<Coredump, ReturnType<typeof dumpView>>(dumpView, () => undefined);
  readonly quotas = new Mirror<QuotaObject, ReturnType<typeof quotaView>>(quotaView, () => undefined);
  readonly #api: FakeApi;
  readonly #keeper: QuotaKeeper;
  readonly #seen = { coredumps: 0, coredumpquotas: 0 };

  /** Lists as a new leader does: quotas first. */
  constructor(api: FakeApi, gate: () => Promise<void>) {
    this.#api = api;
    for (const each of api.of("coredumpquotas")) this.quotas.listed(each as unknown as QuotaObject);
    for (const each of api.of("coredumps")) this.dumps.listed(each as unknown as Coredump);
    this.#seen.coredumps = this.#seen.coredumpquotas = api.log.length;
    this.#keeper = new QuotaKeeper(api.client(gate), this.dumps, this.quotas);
    this.#keeper.confirmAll();
  }

  /** Each kind is watched for itself: one may be far ahead of the other. */
  see(kind: "coredumps" | "coredumpquotas", most: number): void {
    const until = Math.min(this.#api.log.length, this.#seen[kind] + most);
    for (const event of this.#api.log.slice(this.#seen[kind], until)) {
      if (event.kind !== kind) continue;
      const mirror = (kind === "coredumps" ? this.dumps : this.quotas) as Mirror<Coredump, ReturnType<typeof dumpView>>;
      const object = structuredClone(event.object) as unknown as Coredump;
      if (event.type === "DELETED") mirror.deleted(object);
      else mirror.changed(object);
    }
    this.#seen[kind] = until;
  }

  seeAll(): void {
    for (const kind of ["coredumps", "coredumpquotas"] as const) this.see(kind, Number.POSITIVE_INFINITY);
  }

  /** @returns whether the round came to its end */
  async round(): Promise<boolean> {
    return await this.#keeper.keep("ns", new AbortController().signal).then(
      () => true,
      () => false,
    );
  }
}

const held = (api: FakeApi): number =>
  api
    .of("coredumps")
    .reduce((sum, { spec, status }) => (HOLDING.includes(status["state"]) ? sum + Number(spec["size"]) : sum), 0);

/** @param exceeded  gets what is held, whenever that is too much */
function newApi(hards: readonly number[], exceeded: number[] = []): FakeApi {
  const api = new FakeApi();
  for (const [index, hard] of hards.entries()) api.put("coredumpquotas", `q${index}`, { hard: String(hard) }, {});
  api.onWrite = () => void (held(api) > Math.min(...hards) && exceeded.push(held(api)));
  return api;
}

const who = fc.integer({ min: 0, max: 1 });
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("crash" as const),
      size: fc.integer({ min: 1, max: 8 }),
      timeMs: fc.integer({ min: 0, max: 5 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("delete" as const), which: fc.nat() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("see" as const),
      who,
      kind: fc.constantFrom("coredumps" as const, "coredumpquotas" as const),
      most: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("round" as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("replace" as const), who }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("kill" as const), who, after: fc.integer({ min: 0, max: 12 }) }),
  },
);

test("QuotaKeeper.keep() never exceeds a quota, whatever the interleaving, and settles on the truth", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(fc.tuple(step, fc.integer({ min: 0, max: 8 })), { minLength: 5, maxLength: 60 }),
      fc.boolean(),
      async (scheduler, steps, twoQuotas) => {
        const exceeded: number[] = [];
        const api = newApi(twoQuotas ? [HARD, HARD + 3] : [HARD], exceeded);
        const lives = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
        const running: (Promise<boolean> | undefined)[] = [];
        const gateOf = (index: number) => async () => {
          await scheduler.schedule(Promise.resolve());
          const left = (lives[index] ?? 0) - 1;
          lives[index] = left;
          if (left < 0) throw new Error("killed");
        };
        const start = (index: number) => new Controller(api, gateOf(index));
        const controllers = [start(0), start(1)];
        let crashes = 0;
        for (const [each, waits] of steps) {
          if (each.do === "crash") {
            const dumptime = new Date(each.timeMs).toISOString();
            api.put("coredumps", `d${crashes++}`, { size: String(each.size), dumptime }, { state: "Created" });
          } else if (each.do === "delete") api.delete("coredumps", `d${each.which % Math.max(crashes, 1)}`);
          else if (each.do === "see") controllers[each.who]?.see(each.kind, each.most);
          else if (each.do === "kill") lives[each.who] = each.after;
          else if (each.do === "replace") {
            await scheduler.waitAll();
            lives[each.who] = Number.POSITIVE_INFINITY;
            controllers[each.who] = start(each.who);
          } else if (!running[each.who]) {
            running[each.who] = controllers[each.who]?.round().finally(() => (running[each.who] = undefined));
          }
          for (let waited = 0; waited < waits && scheduler.count() > 0; waited++) await scheduler.waitOne();
        }
        await scheduler.waitAll();
        await settle(api, new Controller(api, async () => undefined));
      },
    ),
    { numRuns: runs(1000) },
  );
});

/** Left in peace, one controller judges all, counts right, and then writes nothing more. */
async function settle(api: FakeApi, controller: Controller): Promise<void> {
  for (let rounds = 0; rounds < 3; rounds++) {
    controller.seeAll();
    assert.equal(await controller.round(), true);
  }
  assert.ok(api.of("coredumps").every(({ status }) => status["state"] !== "Created"));
  for (const { status } of api.of("coredumpquotas")) assert.equal(Number(status["used"]), held(api));
  const writes = api.log.length;
  controller.seeAll();
  await controller.round();
  assert.equal(api.log.length, writes, "a write that changes nothing");
}

test("QuotaKeeper.keep() goes by what is there when another, stopped between its two writes, goes on", async () => {
  const exceeded: number[] = [];
  const api = newApi([HARD], exceeded);
  const other = new Controller(api, async () => undefined); // its watch of dumps shows it nothing of what follows
  api.put("coredumps", "young", { size: "6", dumptime: "2026-01-02T00:00:00Z" }, { state: "Created" });
  const { promise: going, resolve: goOn } = Promise.withResolvers<void>();
  let requests = 0;
  const stopped = new Controller(api, async () => void (++requests > 6 && (await going))); // behind the claim
  const round = stopped.round();
  await turn();
  assert.equal(api.of("coredumpquotas")[0]?.status["used"], "6");
  other.see("coredumpquotas", Number.POSITIVE_INFINITY);
  const old = { size: "6", dumptime: "2026-01-01T00:00:00Z" };
  api.put("coredumps", "old", old, { state: "Created" });
  other.dumps.changed(api.of("coredumps").at(-1) as unknown as Coredump);
  await other.round();
  goOn();
  await round;
  assert.deepEqual(exceeded, []);
  await settle(api, new Controller(api, async () => undefined));
  assert.equal(held(api), 6);
});

test("QuotaKeeper.keep() undoes what one killed between its two writes had claimed", async () => {
  const api = newApi([HARD]);
  api.put("coredumps", "a", { size: "6" }, { state: "Created" });
  let requests = 0;
  const killed = new Controller(api, async () => {
    if (++requests > 6) throw new Error("killed"); // there and back for the limits, and for the ledger's two steps
  });
  assert.equal(await killed.round(), false);
  assert.equal(api.of("coredumpquotas")[0]?.status["used"], "6");
  assert.equal(held(api), 0);
  api.delete("coredumps", "a");
  api.put("coredumps", "b", { size: "10" }, { state: "Created" });
  await settle(api, new Controller(api, async () => undefined));
  assert.equal(held(api), 10);
});
