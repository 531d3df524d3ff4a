/** Bodies of requests: what they are, and what is said of fields that there are not. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { excessOf } from "../../domain/json-measure.ts";
import { duplicatesIn } from "./duplicates.ts";
import { jsonPatch, mergePatch, PatchError } from "./json-patch.ts";
import { clipped, LIMITS, quoted } from "./limits.ts";
import { PATCH_TYPES } from "./operations.ts";
import { Query } from "./query.ts";
import { isObject } from "./schema.ts";
import { badRequest, StatusError, unsupportedMediaType } from "./status-error.ts";
import { type Draft, draftOf } from "./strategy.ts";

const JSON_TYPE = "application/json";

/** @throws StatusError 400, 415 */
export function jsonIn(request: FastifyRequest): unknown {
  if (typeIn(request) !== JSON_TYPE) throw unsupportedMediaType(JSON_TYPE);
  return parsed(request.body);
}

/** An object in a body, without unknown fields; the writer learns of them in the way that was asked for. @throws StatusError */
export function draftIn(request: FastifyRequest, reply: FastifyReply, body: unknown): Draft {
  const validation = new Query(request.query).fieldValidation;
  const unknown: string[] = [];
  const draft = draftOf(body, (path) => {
    if (unknown.length < LIMITS.words) unknown.push(path);
  });
  if (validation === "Ignore") return draft;
  const twice = Buffer.isBuffer(request.body) ? duplicatesIn(request.body) : [];
  const words = [
    ...twice.map((path) => `duplicate field ${quoted(path)}`),
    ...unknown.map((path) => `unknown field ${quoted(path)}`),
  ].slice(0, LIMITS.words);
  if (words.length === 0) return draft;
  if (validation === "Strict") throw badRequest(`strict decoding error: ${words.join(", ")}`);
  reply.header("warning", words.map(inHeader));
  return draft;
}

/** What to do to an object. @throws StatusError 400, 415 */
export function patchIn(request: FastifyRequest): (target: unknown) => unknown {
  const type = typeIn(request);
  if (!PATCH_TYPES.includes(type)) throw unsupportedMediaType(PATCH_TYPES.join(", "));
  const isOperations = type === PATCH_TYPES[0];
  const patch = parsed(request.body, isOperations ? LIMITS.patchValues : undefined);
  const apply = isOperations ? jsonPatch : mergePatch;
  return (target) => {
    try {
      return apply(target, patch);
    } catch (error) {
      throw error instanceof PatchError
        ? new StatusError(422, "Invalid", `cannot apply the patch: ${error.message}`)
        : error;
    }
  };
}

interface DeleteOptions {
  readonly preconditions: { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined };
  readonly propagation: string | undefined;
  readonly dryRun: boolean;
}

/** @throws StatusError 400, 415, 422 */
export function deleteOptionsIn(request: FastifyRequest): DeleteOptions {
  const isEmpty = !Buffer.isBuffer(request.body) || request.body.length === 0;
  const body = isEmpty ? {} : jsonIn(request);
  if (!isObject(body)) throw badRequest("DeleteOptions must be an object");
  const query = new Query(request.query);
  const { preconditions, dryRun, orphanDependents } = body;
  const { uid, resourceVersion } = isObject(preconditions) ? preconditions : {};
  const orphan = orphanDependents === true ? "Orphan" : undefined;
  const propagation = textOr(body["propagationPolicy"]) ?? query.text("propagationPolicy") ?? orphan;
  if (propagation && !["Background", "Foreground", "Orphan"].includes(propagation))
    throw badRequest(`propagationPolicy must be Background, Foreground or Orphan, not ${quoted(propagation)}`);
  return {
    preconditions: { uid: textOr(uid), resourceVersion: textOr(resourceVersion) },
    propagation,
    dryRun: query.dryRun(Array.isArray(dryRun) ? dryRun : []),
  };
}

const textOr = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);

const typeIn = ({ headers }: FastifyRequest): string =>
  (headers["content-type"] ?? JSON_TYPE).split(";")[0]?.trim().toLowerCase() ?? "";

function parsed(body: unknown, values: number = LIMITS.bodyValues): unknown {
  const excess = Buffer.isBuffer(body) && excessOf(body, { depth: LIMITS.bodyDepth, values });
  if (excess) throw badRequest(`the body is too much: ${excess}`);
  try {
    return JSON.parse(Buffer.isBuffer(body) ? body.toString() : "");
  } catch (error) {
    throw badRequest(`the body is not JSON: ${clipped((error as Error).message, 200)}`);
  }
}

/** RFC 7234, 5.5: what proxies and kubectl understand. */
const inHeader = (words: string): string => `299 - ${JSON.stringify(words.replace(/[^\x20-\x7e]/g, "?"))}`;
