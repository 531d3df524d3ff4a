/** Before anything else is looked at, a body included: who asks, and whether they may. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { isNamespace } from "../../kube/names.ts";
import type { Authentication, User } from "./authentication.ts";
import type { Authorization, PathAct, ResourceAct, Verb } from "./authorization.ts";
import { RESOURCE } from "./kind.ts";
import { LIMITS } from "./limits.ts";
import { nameProblem } from "./names.ts";
import { Places } from "./places.ts";
import { Query } from "./query.ts";
import { noSuchPath } from "./status-error.ts";

/** What a route does; `open`: everybody may. Without one it is a path as such. */
export type Access = "open" | { readonly verb: Verb; readonly resource: string; readonly subresource?: string };

declare module "fastify" {
  interface FastifyContextConfig {
    readonly access?: Access;
  }
  interface FastifyRequest {
    /** Undefined on open routes. */
    user: User | null;
  }
}

export interface Guard {
  /** @throws StatusError 401, 403; DumpError when the cluster cannot be asked. Asked again while a watch runs */
  check(request: FastifyRequest): Promise<void>;
}

export function guardOf(authentication: Authentication, authorization: Authorization): Guard {
  return {
    check: async (request) => {
      if (request.routeOptions.config?.access === "open") return;
      const user = await authentication.userOf(request.raw);
      request.user = user;
      await authorization.assertMay(user, actOf(request));
    },
  };
}

/** Bodies that are held at once: 16 of the largest, of one user four. */
const BODIES_BYTES = 16 * LIMITS.bodyBytes;
const BODIES_BYTES_OF_ONE = 4 * LIMITS.bodyBytes;

export function useGuard(app: FastifyInstance, guard: Guard): void {
  const bodies = new Places("large requests", BODIES_BYTES, BODIES_BYTES_OF_ONE);
  app.decorateRequest("user", null);
  app.addHook("onRequest", async (request, reply) => {
    await guard.check(request);
    const place = bodies.take(request.user?.name ?? "", bodyBytesOf(request));
    reply.raw.once("close", () => place[Symbol.dispose]());
  });
}

/** What the body may come to. @throws nothing: what is too large is refused when it is read */
function bodyBytesOf({ headers }: FastifyRequest): number {
  if (headers["transfer-encoding"] !== undefined) return LIMITS.bodyBytes;
  return Math.min(Number(headers["content-length"] ?? 0) || 0, LIMITS.bodyBytes);
}

/** @throws StatusError 404 for what can be no name: it never gets near a key or a path */
export function targetOf(request: FastifyRequest): {
  readonly namespace: string | undefined;
  readonly name: string | undefined;
} {
  const { namespace, name } = (request.params ?? {}) as { namespace?: string; name?: string };
  if (namespace !== undefined && !isNamespace(namespace)) throw noSuchPath();
  if (name !== undefined && nameProblem(name) !== undefined) throw noSuchPath();
  return { namespace, name };
}

/** @throws StatusError 404 for one that is longer than any of ours */
function pathOf({ url }: FastifyRequest): string {
  const path = url.split("?", 1)[0] ?? "/";
  if (path.length > LIMITS.pathLength) throw noSuchPath();
  return path;
}

function actOf(request: FastifyRequest): ResourceAct | PathAct {
  const access = request.routeOptions.config?.access;
  if (access === undefined || access === "open") return { verb: request.method.toLowerCase(), path: pathOf(request) };
  const query = new Query(request.query);
  const { namespace, name } = targetOf(request);
  const isSelecting = ["list", "deletecollection"].includes(access.verb) && access.resource === RESOURCE;
  const verb = access.verb === "list" && query.isWatch ? "watch" : access.verb;
  return { ...access, verb, namespace, name: name ?? (isSelecting ? query.selectedName : undefined) };
}
