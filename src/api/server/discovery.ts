/** What there is, in the two forms in which kubectl and the controllers ask: resource by resource, and all at once. */
import { isJson, mediaTypesIn } from "./accept.ts";
import { DUMPS, GROUP, GROUP_VERSION, KIND, RESOURCE, VERSION } from "./kind.ts";
import { notAcceptable } from "./status-error.ts";

const VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const SINGULAR = "coredumpendpoint";
const SHORT_NAMES = ["cde"];
/** Not `all`: no other table is wanted there. */
/** No kind's name: kubectl takes `get coredumps` for a category of that name, and would show endpoints instead. */
const CATEGORIES = ["coredump-detector"];

const GROUP_VERSIONS = { groupVersion: GROUP_VERSION, version: VERSION };

export const apiGroup = {
  kind: "APIGroup",
  apiVersion: "v1",
  name: GROUP,
  versions: [GROUP_VERSIONS],
  preferredVersion: GROUP_VERSIONS,
};

const apiGroupList = { kind: "APIGroupList", apiVersion: "v1", groups: [apiGroup] };

const named = (name: string, kind: string, verbs: readonly string[], more: object = {}) => ({
  ...{ name, singularName: "", namespaced: true, kind, verbs },
  ...more,
});

export const apiResourceList = {
  kind: "APIResourceList",
  apiVersion: "v1",
  groupVersion: GROUP_VERSION,
  resources: [
    named(RESOURCE, KIND, VERBS, { singularName: SINGULAR, shortNames: SHORT_NAMES, categories: CATEGORIES }),
    named(`${RESOURCE}/dump`, KIND, ["get"]),
    named(`${RESOURCE}/status`, KIND, ["get", "patch", "update"]),
    named(`${DUMPS}/dump`, "Coredump", ["get"], { group: GROUP, version: "v1" }),
  ],
};

const OURS = { group: GROUP, version: VERSION, kind: KIND };
const COREDUMP = { group: GROUP, version: "v1", kind: "Coredump" };

const subresource = (name: string, responseKind: object, verbs: readonly string[]) => ({
  ...{ subresource: name, responseKind, verbs },
});

/** @param version of the form: `v2`, `v2beta1` */
const discoveryList = (version: string) => ({
  kind: "APIGroupDiscoveryList",
  apiVersion: `apidiscovery.k8s.io/${version}`,
  metadata: {},
  items: [
    {
      metadata: { name: GROUP },
      versions: [
        {
          version: VERSION,
          freshness: "Current",
          resources: [
            {
              ...{ resource: RESOURCE, responseKind: OURS, scope: "Namespaced", singularResource: SINGULAR },
              ...{ verbs: VERBS, shortNames: SHORT_NAMES, categories: CATEGORIES },
              subresources: [
                subresource("dump", OURS, ["get"]),
                subresource("status", OURS, ["get", "patch", "update"]),
              ],
            },
            {
              // The resource itself is in the other version, which others serve.
              ...{ resource: DUMPS, responseKind: { group: "", version: "", kind: "" }, scope: "Namespaced" },
              ...{ singularResource: "", verbs: [] },
              subresources: [subresource("dump", COREDUMP, ["get"])],
            },
          ],
        },
      ],
    },
  ],
});

/** The answer to GET /apis, and its media type. @throws StatusError 406 */
export function groupsFor(accept: string | undefined): { readonly body: object; readonly contentType: string } {
  for (const media of mediaTypesIn(accept).filter(isJson)) {
    const [as, group, version = ""] = ["as", "g", "v"].map((name) => media.parameters.get(name));
    if (as === undefined) return { body: apiGroupList, contentType: "application/json" };
    if (as === "APIGroupDiscoveryList" && group === "apidiscovery.k8s.io" && ["v2", "v2beta1"].includes(version))
      return {
        body: discoveryList(version),
        contentType: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
      };
  }
  throw notAcceptable("application/json");
}
