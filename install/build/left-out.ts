/**
 * Parts of dockerode that this program never calls, and that cost 20 ms and half a megabyte when it is loaded: Docker over
 * SSH, BuildKit sessions, building images from a folder. With SSH go the only native modules that anything here asks for.
 */
import type { Plugin } from "esbuild";

const PARTS = /^(ssh2|tar-fs|\.\/session|\.\/buildkit)$/;
const ASKED_BY = /\/node_modules\/(dockerode|docker-modem)\//;

/** What stands in their place loads, and throws when it is called. */
const STAND_IN = `module.exports = new Proxy(function () {}, {
  get: (_, name) => () => { throw new Error("Cannot use " + String(name) + ": it is left out of this program"); },
});`;

export const leftOut: Plugin = {
  name: "left-out",
  setup(build) {
    build.onResolve({ filter: PARTS }, ({ importer, path }) =>
      ASKED_BY.test(importer) ? { path, namespace: "left-out" } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: "left-out" }, () => ({ contents: STAND_IN }));
  },
};
