/**
 * Parts of packages that this program never calls, and that cost time and memory wherever they are loaded:
 * - dockerode: Docker over SSH, BuildKit sessions, building images from a folder (20 ms and half a megabyte; with SSH go the
 *   only native modules that anything here asks for);
 * - @kubernetes/client-node: all but KubeConfig, which has the credentials. The clients of every kind that there is, and of
 *   undici, are six megabytes of script, two thirds of what an agent would hold for ever.
 */
import { join } from "node:path";
import type { Plugin } from "esbuild";
import { ROOT } from "./target.ts";

const CLIENT_NODE = "@kubernetes/client-node";
const PARTS: readonly { readonly what: RegExp; readonly askedBy: RegExp }[] = [
  { what: /^(ssh2|tar-fs|\.\/session|\.\/buildkit)$/, askedBy: /\/node_modules\/(dockerode|docker-modem)\// },
  { what: /^(undici|\.\/gen\/.*)$/, askedBy: new RegExp(`/node_modules/${CLIENT_NODE}/`) },
];

/** What stands in their place loads, and throws when it is called. */
const STAND_IN = `module.exports = new Proxy(function () {}, {
  get: (_, name) => () => { throw new Error("Cannot use " + String(name) + ": it is left out of this program"); },
});`;

export const leftOut: Plugin = {
  name: "left-out",
  setup(build) {
    for (const { what, askedBy } of PARTS)
      build.onResolve({ filter: what }, ({ importer, path }) =>
        askedBy.test(importer) ? { path, namespace: "left-out" } : undefined,
      );
    build.onLoad({ filter: /.*/, namespace: "left-out" }, () => ({ contents: STAND_IN }));
    const config = join(ROOT, "node_modules", CLIENT_NODE, "dist/config.js");
    build.onResolve({ filter: new RegExp(`^${CLIENT_NODE}$`) }, () => ({ path: config }));
  },
};
