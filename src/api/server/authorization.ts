/** Who may: the cluster's own authorizers are asked, by SubjectAccessReview; what they do not allow is forbidden. */
import { createHash } from "node:crypto";
import type { KubeHttp } from "../../kube/http.ts";
import type { User } from "./authentication.ts";
import { GROUP, VERSION } from "./kind.ts";
import { clipped } from "./limits.ts";
import { Places } from "./places.ts";
import { forbidden, StatusError } from "./status-error.ts";
import { TimedCache } from "./timed-cache.ts";

export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection";

export interface ResourceAct {
  readonly verb: Verb;
  readonly resource: string;
  readonly subresource?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

export interface PathAct {
  readonly verb: string;
  readonly path: string;
}

interface Decision {
  readonly allowed: boolean;
  readonly reason: string;
}

/** Who was given a right need not wait for it, and who lost it does not keep it for long. */
const ALLOWED_MS = 10_000;
const DENIED_MS = 5_000;
/** Reviews at once: each name that a user asks about is one. */
const REVIEWS = 1024;
const REVIEWS_OF_ONE_USER = 256;
/** How much of the reason is remembered and reported. */
const REASON_LENGTH = 500;

export class Authorization {
  readonly #http: KubeHttp;
  readonly #decisions = new TimedCache<Decision>(({ allowed }) => (allowed ? ALLOWED_MS : DENIED_MS));
  readonly #reviews = new Places("reviews of rights", REVIEWS, REVIEWS_OF_ONE_USER);

  constructor(http: KubeHttp) {
    this.#http = http;
  }

  /** @throws StatusError 403, 429; DumpError when the cluster cannot be asked: then all is refused */
  async assertMay(user: User, act: ResourceAct | PathAct): Promise<void> {
    const key = createHash("sha256")
      .update(JSON.stringify([user, act]))
      .digest("base64");
    const { allowed, reason } = await this.#decisions.get(key, async () => {
      using _place = this.#reviews.take(user.name);
      return await this.#review(user, act);
    });
    if (!allowed) throw refusalOf(user, act, reason);
  }

  async #review({ name, uid, groups, extra }: User, act: ResourceAct | PathAct): Promise<Decision> {
    const attributes =
      "path" in act
        ? { nonResourceAttributes: act }
        : { resourceAttributes: { group: GROUP, version: VERSION, ...act } };
    const { status } = await this.#http.json<{ status?: { allowed?: boolean; denied?: boolean; reason?: string } }>({
      verb: "create",
      resource: "subjectaccessreviews",
      path: "/apis/authorization.k8s.io/v1/subjectaccessreviews",
      body: {
        apiVersion: "authorization.k8s.io/v1",
        kind: "SubjectAccessReview",
        metadata: {},
        spec: { user: name, uid, groups, extra, ...attributes },
      },
    });
    return {
      allowed: status?.allowed === true && status.denied !== true,
      reason: clipped(status?.reason ?? "", REASON_LENGTH),
    };
  }
}

function refusalOf({ name: user }: User, act: ResourceAct | PathAct, reason: string): StatusError {
  const because = reason === "" ? "" : `: ${reason}`;
  const who = `User ${JSON.stringify(user)} cannot ${act.verb}`;
  if ("path" in act)
    return new StatusError(403, "Forbidden", `forbidden: ${who} path ${JSON.stringify(act.path)}${because}`, {});
  const { resource, subresource, namespace, name } = act;
  const what = subresource === undefined ? resource : `${resource}/${subresource}`;
  const where = namespace === undefined ? "at the cluster scope" : `in the namespace ${JSON.stringify(namespace)}`;
  const why = `${who} resource ${JSON.stringify(what)} in API group ${JSON.stringify(GROUP)} ${where}${because}`;
  return forbidden({ group: GROUP, resource, ...(name !== undefined && { name }) }, why);
}
