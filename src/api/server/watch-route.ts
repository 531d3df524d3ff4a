/** One watch: its events as lines, for as long as it may run and its user has the right to it. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { DumpError } from "../../domain/failures.ts";
import type { ObjectStorage } from "../storage/storage.ts";
import { Answers } from "./answers.ts";
import { type Guard, targetOf } from "./guard.ts";
import type { ApiMetrics } from "./metrics.ts";
import { Query } from "./query.ts";
import { send, untilGone } from "./sending.ts";
import { StatusError, statusOf } from "./status-error.ts";
import type { Keys } from "./stored.ts";
import { assertSensible, watched } from "./watching.ts";

const LONGEST_S = 3600;
const RECHECK_MS = 10_000;
/** A right that could not be confirmed for so many checks counts as gone; the client may come back at once. */
const UNANSWERED = 3;

interface WatchParts {
  readonly storage: ObjectStorage;
  readonly keys: Keys;
  readonly guard: Guard;
  readonly metrics: ApiMetrics;
  /** Ends all watches. */
  readonly stopping: AbortSignal;
}

/** @throws StatusError before the first byte; then it says what is wrong in an event of type ERROR */
export async function serveWatch(request: FastifyRequest, reply: FastifyReply, parts: WatchParts): Promise<void> {
  const { storage, keys, metrics, stopping } = parts;
  const query = new Query(request.query);
  const { namespace } = targetOf(request);
  const answers = new Answers(request.headers.accept, query.text("includeObject"));
  const [watch, selection] = [query.watch, query.selection];
  assertSensible(watch);
  const [over, lost] = [AbortSignal.timeout(lastsMs(query)), new AbortController()];
  const gone = untilGone(reply.raw);
  const signal = AbortSignal.any([over, stopping, gone, lost.signal]);

  reply.hijack();
  reply.raw.writeHead(200, { "content-type": "application/json;stream=watch", "cache-control": "no-cache, private" });
  reply.raw.flushHeaders();
  metrics.watches.inc();
  using _checking = checkingAgain(request, parts.guard, lost);
  try {
    await send(reply.raw, lines(watched(storage, keys, namespace, watch, selection, signal), answers), signal);
  } catch (error) {
    const why = lost.signal.aborted ? lost.signal.reason : error;
    if (!over.aborted && !stopping.aborted && !gone.aborted) reply.raw.write(answers.failure(statusOf(why)));
  } finally {
    metrics.watches.dec();
    if (!gone.aborted) reply.raw.end();
  }
}

/** So that clients that gave no time do not all come back at once. */
const lastsMs = ({ timeoutSeconds }: Query): number =>
  Math.floor(Math.min(timeoutSeconds ?? LONGEST_S * (0.5 + Math.random() / 2), LONGEST_S) * 1000);

async function* lines(events: ReturnType<typeof watched>, answers: Answers): AsyncGenerator<string> {
  for await (const event of events) yield answers.event(event);
}

/** A right that is taken away, a token that expires, an authority that is replaced: each ends it. */
function checkingAgain(request: FastifyRequest, guard: Guard, lost: AbortController): Disposable {
  let unanswered = 0;
  const timer = setInterval(() => {
    guard.check(request).then(
      () => {
        unanswered = 0;
      },
      (error) => {
        const isAnswer = error instanceof StatusError ? error.status.code !== 429 : !(error instanceof DumpError);
        if (isAnswer || ++unanswered === UNANSWERED) lost.abort(error);
      },
    );
  }, RECHECK_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
