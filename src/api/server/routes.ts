/** The resource's routes: each reads the request, calls one function of endpoints.ts, listing.ts or watching.ts, and answers. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ObjectStorage } from "../storage/storage.ts";
import { Answers } from "./answers.ts";
import { deleteOptionsIn, draftIn, jsonIn, patchIn } from "./body.ts";
import { assertSameName, type Endpoints, type Written } from "./endpoints.ts";
import { type Access, targetOf } from "./guard.ts";
import { type CoredumpEndpoint, GROUP, GROUP_VERSION, RESOURCE } from "./kind.ts";
import { listed } from "./listing.ts";
import { Query } from "./query.ts";
import { send, untilGone } from "./sending.ts";
import type { StatusBody } from "./status-error.ts";
import { type Keys, storedText } from "./stored.ts";
import { type Draft, updated, withStatus } from "./strategy.ts";

const JSON_TYPE = "application/json";
export const IN_NAMESPACE = `/apis/${GROUP_VERSION}/namespaces/:namespace`;

interface RouteParts {
  readonly storage: ObjectStorage;
  readonly keys: Keys;
  readonly endpoints: Endpoints;
  readonly serveWatch: (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
}

type Handler = (parts: RouteParts, request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

export function addRoutes(app: FastifyInstance, parts: RouteParts): void {
  const all = `/apis/${GROUP_VERSION}/${RESOURCE}`;
  const some = `${IN_NAMESPACE}/${RESOURCE}`;
  const one = `${some}/:name`;
  const of = (verb: Exclude<Access, "open">["verb"], subresource?: string) => ({
    config: { access: { verb, resource: RESOURCE, ...(subresource && { subresource }) } },
  });
  const by = (handler: Handler) => (request: FastifyRequest, reply: FastifyReply) => handler(parts, request, reply);
  app.get(all, of("list"), by(listing));
  app.get(some, of("list"), by(listing));
  app.post(some, of("create"), by(creating));
  app.delete(some, of("deletecollection"), by(deletingAll));
  app.get(one, of("get"), by(getting));
  app.put(one, of("update"), by(writing(putDraft, updated)));
  app.patch(one, of("patch"), by(writing(patchDraft, updated)));
  app.delete(one, of("delete"), by(deleting));
  app.get(`${one}/status`, of("get", "status"), by(getting));
  app.put(`${one}/status`, of("update", "status"), by(writing(putDraft, withStatus)));
  app.patch(`${one}/status`, of("patch", "status"), by(writing(patchDraft, withStatus)));
}

const answersFor = ({ headers, query }: FastifyRequest): Answers =>
  new Answers(headers.accept, new Query(query).text("includeObject"));

const sendWritten = (reply: FastifyReply, answers: Answers, { endpoint, revision }: Written) =>
  reply.type(JSON_TYPE).send(answers.object(storedText(endpoint), revision));

/** Both are in the paths of the routes that ask. */
const named = (request: FastifyRequest) => targetOf(request) as { namespace: string; name: string };

const getting: Handler = async ({ endpoints }, request, reply) => {
  const { namespace, name } = named(request);
  const answers = answersFor(request);
  return sendWritten(reply, answers, await endpoints.get(namespace, name, untilGone(reply.raw)));
};

const listing: Handler = async ({ storage, keys, serveWatch }, request, reply) => {
  const query = new Query(request.query);
  if (query.isWatch) return await serveWatch(request, reply);
  const answers = answersFor(request);
  const { namespace } = targetOf(request);
  const gone = untilGone(reply.raw);
  const page = await listed(storage, keys, namespace, query.list, query.selection, gone);
  if (page.isShort) return reply.type(JSON_TYPE).send((await Array.fromAsync(answers.list(page))).join(""));
  reply.hijack();
  reply.raw.writeHead(200, { "content-type": JSON_TYPE });
  await send(reply.raw, answers.list(page), gone).then(
    () => reply.raw.end(),
    () => reply.raw.destroy(), // less than the whole, so that it is not taken for that
  );
  return reply;
};

const creating: Handler = async ({ endpoints }, request, reply) => {
  const { namespace } = named(request);
  const answers = answersFor(request);
  const dryRun = new Query(request.query).dryRun();
  const draft = draftIn(request, reply, jsonIn(request));
  assertSameName(draft, namespace);
  return sendWritten(reply.code(201), answers, await endpoints.create(namespace, draft, { dryRun }));
};

/** What the object is to be, of what it is. */
type Drafting = (request: FastifyRequest, reply: FastifyReply) => (old: CoredumpEndpoint) => Draft;

const putDraft: Drafting = (request, reply) => {
  const draft = draftIn(request, reply, jsonIn(request));
  return () => draft;
};

const patchDraft: Drafting = (request, reply) => {
  const patch = patchIn(request);
  return (old) => draftIn(request, reply, patch(old));
};

const writing =
  (drafting: Drafting, apply: (old: CoredumpEndpoint, draft: Draft) => CoredumpEndpoint): Handler =>
  async ({ endpoints }, request, reply) => {
    const { namespace, name } = named(request);
    const answers = answersFor(request);
    const dryRun = new Query(request.query).dryRun();
    const draftFrom = drafting(request, reply);
    const change = (old: CoredumpEndpoint) => {
      const draft = draftFrom(old);
      assertSameName(draft, namespace, name);
      const { uid, resourceVersion } = draft.metadata;
      // A patch gives the version that it was applied to, unless it says another one.
      const isNamed = request.method === "PUT" || resourceVersion !== old.metadata.resourceVersion;
      return { next: apply(old, draft), expected: { uid, resourceVersion: isNamed ? resourceVersion : undefined } };
    };
    return sendWritten(reply, answers, await endpoints.change(namespace, name, change, { dryRun }));
  };

const deleting: Handler = async ({ endpoints }, request, reply) => {
  const { namespace, name } = named(request);
  const answers = answersFor(request);
  const options = deleteOptionsIn(request);
  const { gone, endpoint, revision } = await endpoints.delete(namespace, name, options, options);
  if (!gone) return sendWritten(reply, answers, { endpoint, revision });
  return reply.type(JSON_TYPE).send(JSON.stringify(deletedStatus(endpoint)));
};

const deletingAll: Handler = async ({ storage, keys, endpoints }, request, reply) => {
  const { namespace } = named(request);
  const answers = answersFor(request);
  const query = new Query(request.query);
  const options = deleteOptionsIn(request);
  const page = await listed(storage, keys, namespace, query.list, query.selection, untilGone(reply.raw));
  const items = (await Array.fromAsync(page.batches)).flat();
  for (const { key } of items) {
    const { name } = keys.named(key);
    await endpoints.delete(namespace, name, options, options).catch((error) => {
      if ((error as { status?: StatusBody }).status?.code !== 404) throw error; // another was quicker
    });
  }
  const texts = await Array.fromAsync(answers.list({ ...page, batches: [items] }));
  return reply.type(JSON_TYPE).send(texts.join(""));
};

const deletedStatus = ({ metadata: { name, uid } }: CoredumpEndpoint): Omit<StatusBody, "code"> => ({
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Success",
  details: { name, group: GROUP, kind: RESOURCE, uid },
});
