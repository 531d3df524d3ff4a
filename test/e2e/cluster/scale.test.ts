/** A storm in a small cluster, with the means of docs/scale.md: nothing is lost, nothing counted or decided twice. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { parseQuantity } from "../../../src/domain/quantity.ts";
import { CORE_BYTES } from "../../scale/nodes.ts";
import { isTight, Simulation } from "../../scale/simulation.ts";
import { Dumps } from "../../support/controller.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "cluster", "binary");
const AGENTS = 20;
const DUMPS = 100;
const TENANTS = 10;
const EACH = DUMPS / TENANTS;
const TIGHT_DUMPS = 4;
const tenants = Array.from({ length: TENANTS }, (_, tenant) => tenant);
const allowedIn = (tenant: number): number => (isTight(tenant) ? TIGHT_DUMPS : EACH);
const ALLOWED = tenants.reduce((sum, tenant) => sum + allowedIn(tenant), 0);

describe(`${DUMPS} crashes at once on ${AGENTS} nodes`, { skip }, () => {
  let simulation: Simulation;
  let ids: readonly string[];

  before(async () => {
    simulation = await Simulation.start({ agents: AGENTS, processes: 2, tenants: TENANTS, tightDumps: TIGHT_DUMPS });
    await simulation.startOthers();
    ids = await simulation.storm(DUMPS, AGENTS);
  });
  after(async () => await simulation?.[Symbol.asyncDispose]());

  test("make one Coredump each", async () => {
    const objects = await Promise.all(tenants.map((tenant) => new Dumps(simulation.http, `tenant-${tenant}`).all()));
    assert.deepEqual(
      objects.map((all) => all.length),
      tenants.map(() => EACH),
    );
    assert.deepEqual(
      objects
        .flat()
        .map(({ spec }) => spec.id)
        .sort(),
      ids.toSorted(),
    );
  });

  test("get one verdict each, and it stays", async () => {
    const { book } = simulation;
    const ended = (verdict: string, state: string) =>
      book.count((dump) => dump.verdicts.size === 1 && dump.verdicts.has(verdict) && dump.state === state);
    assert.equal(ended("Allowed", "Saved"), ALLOWED);
    assert.equal(ended("Denied", "Denied"), DUMPS - ALLOWED);
  });

  test("fill each tenant's quota and no more", async () => {
    for (const tenant of tenants) {
      const [quota] = await new Dumps(simulation.http, `tenant-${tenant}`).all("coredumpquotas");
      assert.equal(parseQuantity(quota?.["status"].used)?.nanos, BigInt(allowedIn(tenant) * CORE_BYTES) * 10n ** 9n);
    }
  });
});
