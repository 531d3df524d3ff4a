/**
 * AdmissionReview, as the API server sends and expects it (admission.k8s.io v1; v1beta1 is answered in v1beta1). Only the
 * creation of pods is judged: what else a configuration sends us is allowed as it is.
 */
import type { ClaimPod } from "../../domain/claim.ts";
import { DumpError, reasonOf } from "../../domain/failures.ts";
import { excessOf } from "../../domain/json-measure.ts";
import { judgePod, type PodVerdict } from "./patch.ts";

interface Review {
  readonly apiVersion: string;
  readonly kind: string;
  readonly request: {
    readonly uid: string;
    readonly operation?: string;
    readonly resource?: { readonly group?: string; readonly version?: string; readonly resource?: string };
    readonly subResource?: string;
    readonly namespace?: string;
    readonly object?: ClaimPod | null;
  };
}

export interface ReviewAnswer {
  readonly verdict: PodVerdict;
  readonly namespace: string;
  /** The AdmissionReview to send. */
  readonly review: object;
}

/** Pods of many thousand arguments are far below it; managed fields are the deepest that there is. */
const MOST = { depth: 100, values: 100_000 };
const VERSIONS = ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"];

/** @throws DumpError API_INVALID when it is not an AdmissionReview: then nothing is known of the pod, and nothing is allowed */
export function answerReview(body: Buffer | string): ReviewAnswer {
  const { apiVersion, kind, request } = decode(Buffer.from(body));
  const verdict = isNewPod(request) ? judgePod(podIn(request)) : UNTOUCHED;
  return {
    verdict,
    namespace: request.namespace ?? "",
    review: { apiVersion, kind, response: { uid: request.uid, ...responseTo(verdict) } },
  };
}

const UNTOUCHED: PodVerdict = { kind: "untouched" };

function decode(body: Buffer): Review {
  const excess = excessOf(body, MOST);
  if (excess !== undefined) throw undecodable(excess);
  let review: Partial<Review> | null;
  try {
    review = JSON.parse(body.toString());
  } catch (error) {
    throw undecodable(reasonOf(error), error);
  }
  if (review?.kind !== "AdmissionReview" || !VERSIONS.includes(review.apiVersion ?? ""))
    throw undecodable(`it is not an AdmissionReview of ${VERSIONS.join(" or ")}`);
  if (typeof review.request?.uid !== "string" || review.request.uid === "") throw undecodable("its request has no uid");
  return review as Review;
}

function isNewPod({ operation, resource, subResource }: Review["request"]): boolean {
  const isPod = !resource?.group && resource?.version === "v1" && resource.resource === "pods";
  return operation === "CREATE" && isPod && !subResource;
}

function podIn({ object }: Review["request"]): ClaimPod {
  if (!object || typeof object !== "object" || Array.isArray(object)) throw undecodable("its request has no pod");
  return object;
}

function responseTo(verdict: PodVerdict): object {
  switch (verdict.kind) {
    case "untouched":
      return { allowed: true };
    case "denied":
      return { allowed: false, status: { code: 400, reason: "BadRequest", message: verdict.message } };
    case "patched":
      return { allowed: true, patchType: "JSONPatch", patch: base64(JSON.stringify(verdict.additions)) };
  }
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

const undecodable = (why: string, cause?: unknown): DumpError =>
  new DumpError("API_INVALID", `Cannot decode the AdmissionReview: ${why}`, { cause });
