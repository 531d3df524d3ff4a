/** An API server that answers as a test wants it to, request by request. */
import type { KubeHttp, KubeRequest } from "../../src/kube/http.ts";

export type Answer = object | Error | string | AsyncIterable<Buffer>;

/** @param answer  an object or text is the answer, an error the failure. Requests made are in `asked`. */
export function scriptedHttp(
  answer: (request: KubeRequest) => Answer | Promise<Answer>,
): KubeHttp & { asked: KubeRequest[] } {
  const asked: KubeRequest[] = [];
  const ask = async (request: KubeRequest) => {
    asked.push(request);
    const said = await answer(request);
    if (said instanceof Error) throw said;
    return said;
  };
  return {
    asked,
    json: async <T>(request: KubeRequest) => structuredClone(await ask(request)) as T,
    async stream(request) {
      const said = await ask(request);
      if (typeof said === "object" && Symbol.asyncIterator in said) return said as AsyncIterable<Buffer>;
      const text = typeof said === "string" ? said : JSON.stringify(said);
      return (async function* () {
        yield Buffer.from(text);
      })();
    },
  };
}
