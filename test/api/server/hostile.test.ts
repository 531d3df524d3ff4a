/**
 * No request costs much, whatever is in it. This is the one place where a test asserts a time: processor time of the
 * server's thread alone, the least of several tries, so that a busy machine does not matter. The heap is held to a limit
 * that a request could not overstep without ending the thread.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Worker } from "node:worker_threads";
import { HOSTILE, type Hostile } from "./hostile-requests.ts";

const MOST_MS = 250;
const TRIES = 4;
/** What the server holds with nothing to do, and 32 MiB. */
const HEAP_MIB = 32 + 32;

let worker: Worker;
let port: number;
let agent: Agent;

before(async () => {
  worker = new Worker(join(import.meta.dirname, "hostile-server.ts"), {
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB, maxYoungGenerationSizeMb: 8 },
  });
  [{ port }] = await once(worker, "message");
  agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
});
after(async () => {
  agent?.destroy();
  await worker?.terminate();
});

async function cpuMs(): Promise<number> {
  const said = once(worker, "message");
  worker.postMessage("processor time?");
  return (await said)[0].cpuMs;
}

/** Of a request that the server may refuse before it has read all. */
async function statusOf(hostile: Hostile): Promise<number> {
  const { method, path, headers = {}, body = "" } = hostile;
  const sent = request({
    host: "127.0.0.1",
    port,
    method,
    path,
    headers: { ...headers, "content-length": Buffer.byteLength(body) },
    agent,
    signal: AbortSignal.timeout(20_000),
  });
  sent.end(body);
  const [response] = await once(sent, "response").catch(() => []);
  if (!response && sent.reusedSocket) return await statusOf(hostile); // the answer before was the connection's last
  assert.ok(response, "no answer came");
  response.resume();
  await once(response, "end");
  return response.statusCode;
}

for (const hostile of HOSTILE)
  test(hostile.on, async () => {
    let least = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < TRIES && least > MOST_MS; tries++) {
      const from = await cpuMs();
      const status = await statusOf(hostile);
      assert.ok(status < 500 || status === 501, `answered ${status}`);
      least = Math.min(least, (await cpuMs()) - from);
    }
    assert.ok(least <= MOST_MS, `${Math.round(least)} ms`);
  });
