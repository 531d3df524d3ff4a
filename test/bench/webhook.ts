/** Reviews of a pod of 30 kB with ten containers, 50 at once, against a server that only parses and serialises them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { text } from "node:stream/consumers";
import { type Kept, renewed } from "../../src/webhook/pki/renewal.ts";
import { ROOT } from "../support/paths.ts";
import { freePort } from "../support/role-process.ts";
import { Webhook } from "../support/webhook.ts";
import { REVIEWS } from "../webhook/admission/pods.ts";
import { type Compared, inTurn } from "./pairs.ts";

const REVIEWS_EACH = 10_000;
const AT_ONCE = 50;
const CONTAINERS = 10;
const POD_BYTES = 30_000;

export interface Reviewed extends Compared {
  readonly podBytes: number;
  /** Of all of ours; of the other's, which tells how busy the machine was. */
  readonly p99Ms: number;
  readonly baseP99Ms: number;
  readonly perSecond: number;
}

/** @param binary  the released executable */
export async function reviews(count: number, binary: string, folder: string): Promise<Reviewed> {
  const kept = renewed({}, ["127.0.0.1"], Date.now()) as Kept;
  const files = [join(folder, "tls.crt"), join(folder, "tls.key")] as const;
  writeFileSync(files[0], kept["tls.crt"]);
  writeFileSync(files[1], kept["tls.key"]);
  const port = await freePort();
  await using webhook = await Webhook.run(
    [binary],
    port,
    "--tls-cert-file",
    files[0],
    "--tls-private-key-file",
    files[1],
  );
  await webhook.ready();
  const base = spawn(join(ROOT, "bin/node"), [join(import.meta.dirname, "parsing-server.ts"), ...files]);
  try {
    const [line] = await once(base.stdout.setEncoding("utf8"), "data");
    const { body, podBytes } = review();
    const [tookMs, baseMs]: [number[], number[]] = [[], []];
    for (const warm of [port, Number(line)]) await load(warm, body, kept["ca.crt"], []);
    const compared = await inTurn(
      count,
      () => load(port, body, kept["ca.crt"], tookMs),
      () => load(Number(line), body, kept["ca.crt"], baseMs),
    );
    const perSecond = Math.round(REVIEWS_EACH / compared.ours.medianS);
    return { ...compared, podBytes, p99Ms: p99(tookMs), baseP99Ms: p99(baseMs), perSecond };
  } finally {
    base.kill();
  }
}

/** A Deployment's pod, so that each container gets a variable too. */
function review(): { body: string; podBytes: number } {
  const review = JSON.parse(REVIEWS.get("deployment") ?? "");
  const { spec } = review.request.object;
  const [first] = spec.containers;
  spec.containers = Array.from({ length: CONTAINERS }, (_, index) => ({
    ...first,
    name: `app-${index}`,
    env: [...first.env],
  }));
  const size = () => Buffer.byteLength(JSON.stringify(review.request.object));
  for (let next = 0; size() < POD_BYTES; next++)
    spec.containers[next % CONTAINERS].env.push({
      name: `SETTING_${next}`,
      value: "a value of forty characters or thereabouts",
    });
  return { body: JSON.stringify(review), podBytes: size() };
}

function p99(valuesMs: number[]): number {
  const sorted = valuesMs.toSorted((a, b) => a - b);
  return Math.round((sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN) * 10) / 10;
}

/** @returns seconds of all; how long each took goes into `tookMs` */
async function load(port: number, body: string, ca: string, tookMs: number[]): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const headers = { "content-type": "application/json", "content-length": `${Buffer.byteLength(body)}` };
  const options = { host: "127.0.0.1", port, path: "/mutate", method: "POST", agent, ca, headers };
  const startMs = performance.now();
  let left = REVIEWS_EACH;
  const worker = async () => {
    while (left-- > 0) {
      const sentMs = performance.now();
      const [response] = await once(request(options).end(body), "response");
      const said = await text(response);
      if (response.statusCode !== 200 || said.length < 100) throw new Error(`Cannot measure: ${said}`);
      tookMs.push(performance.now() - sentMs);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  agent.destroy();
  return (performance.now() - startMs) / 1000;
}
