/** A watch of a test, event by event. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import type { Readable } from "node:stream";
import type { Resource } from "../../support/kubectl.ts";
import type { Api } from "./api.ts";

export interface Told {
  readonly type: string;
  readonly object: Resource;
}

export class Watch implements AsyncDisposable {
  readonly #stream: Readable;
  readonly #lines: AsyncIterator<string>;

  private constructor(stream: Readable) {
    this.#stream = stream;
    this.#lines = linesOf(stream);
  }

  static async of(api: Api, url: string, headers: Record<string, string> = {}): Promise<Watch> {
    const path = `${url}${url.includes("?") ? "&" : "?"}watch=true`;
    const where = { host: "127.0.0.1", port: await api.listen(), rejectUnauthorized: false, agent: false as const };
    const sent = request({ ...where, path, headers }).end();
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    assert.equal(answer.statusCode, 200);
    return new Watch(answer);
  }

  async event(): Promise<Told> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("the watch has ended");
    return JSON.parse(value) as Told;
  }

  /** Type and name of the next event. */
  async next(): Promise<[string, string]> {
    const { type, object } = await this.event();
    return [type, object.metadata["name"]];
  }

  /** Whether nothing more comes. */
  async ended(): Promise<boolean> {
    return (await this.#lines.next()).done === true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stream.destroy();
  }
}

async function* linesOf(stream: Readable): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
