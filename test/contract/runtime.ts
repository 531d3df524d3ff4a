/** What every ContainerRuntime promises: real engines and fakes alike (src/node/identity/runtime.ts). */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { candidatesFrom } from "../../src/node/identity/cgroup.ts";
import { owns } from "../../src/node/identity/own-cgroup.ts";
import type { ContainerFacts, ContainerRuntime } from "../../src/node/identity/runtime.ts";

/** A container that the run-time under test has. */
export interface Known {
  readonly id: string;
  /** Content of its process's /proc/P/cgroup. */
  readonly cgroup: string;
  /** What must be said of it. */
  readonly want: Pick<ContainerFacts, "owner" | "pod"> & {
    readonly name: string | null;
    readonly attempt: number | null;
    readonly image: string;
    readonly labels: Readonly<Record<string, string>>;
  };
}

const forever = (): AbortSignal => new AbortController().signal;

export async function assertRuntimeContract(t: TestContext, runtime: ContainerRuntime, known: Known): Promise<void> {
  const { id, want } = known;
  await t.test("inspect() names the owner of a container it has", async () => {
    const facts = (await runtime.inspect(id, forever())) ?? assert.fail("it knows nothing of it");
    const { owner, pod, container } = facts;
    const { labels, ...plain } = want;
    const { name, attempt, image } = container;
    assert.equal(container.id, id);
    assert.deepEqual({ owner, pod, name, attempt, image }, plain);
    assert.partialDeepStrictEqual(facts.labels, labels);
    assert.match(container.imageDigest ?? "", /^sha256:[0-9a-f]{64}$/);
  });

  await t.test("inspect() states a cgroup that proves it to be the container seen", async () => {
    const facts = (await runtime.inspect(id, forever())) ?? assert.fail("it knows nothing of it");
    assert.ok(candidatesFrom(known.cgroup).some((candidate) => owns(facts, candidate)));
  });

  await t.test("inspect() says the same again", async () => {
    assert.deepEqual(await runtime.inspect(id, forever()), await runtime.inspect(id, forever()));
  });

  await t.test("inspect() keeps no environment", async () => {
    assert.doesNotMatch(JSON.stringify(await runtime.inspect(id, forever())), /"(env|envs|Env)":/);
  });

  await t.test("inspect() answers undefined for a container it does not have", async () => {
    assert.equal(await runtime.inspect("f".repeat(64), forever()), undefined);
  });

  await t.test("inspect() rejects with the signal's reason", async () => {
    const reason = new Error("enough");
    await assert.rejects(runtime.inspect(id, AbortSignal.abort(reason)), reason);
    const stop = new AbortController();
    const asked = runtime.inspect(id, stop.signal);
    stop.abort(reason);
    await assert.rejects(asked, reason);
  });
}
