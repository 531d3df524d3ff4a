import assert from "node:assert/strict";
import { test } from "node:test";
import type { DumpError } from "../../src/domain/failures.ts";
import { serveHealth } from "../../src/roles/health.ts";

test("serveHealth() is alive in any case, ready without problems, and says what they are", async () => {
  let problems: string[] = [];
  await using server = await serveHealth(0, { problems: () => problems, metrics: async () => "a 1\n" });
  const ask = async (path: string): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`);
    return `${answer.status} ${await answer.text()}`;
  };
  assert.equal(await ask("/readyz"), "200 ok\n");
  problems = ["Cannot list coredumps: forbidden"];
  assert.equal(await ask("/readyz"), "503 Cannot list coredumps: forbidden\n");
  assert.equal(await ask("/healthz"), "200 ok\n");
  assert.equal(await ask("/metrics"), "200 a 1\n");
  assert.equal(await ask("/"), "404 not here\n");
});

test("serveHealth() names the port that it cannot have", async () => {
  const health = { problems: () => [], metrics: async () => "" };
  await using taken = await serveHealth(0, health);
  await assert.rejects(serveHealth(taken.port, health), (error: DumpError) => {
    assert.equal(error.code, "SETTINGS_INVALID");
    assert.match(error.message, new RegExp(`^Cannot listen on port ${taken.port}: listen EADDRINUSE`));
    return true;
  });
});
