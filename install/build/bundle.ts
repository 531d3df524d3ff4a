/** Everything the program loads as CommonJS files: the first is what `--build-sea` takes, the others its assets (scripts.ts). */
import { createRequire } from "node:module";
import { join } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { DumpError } from "../../src/domain/failures.ts";
import { leftOut } from "./left-out.ts";
import { entryOf, SECOND_SCRIPTS, secondScripts, wrapped } from "./scripts.ts";
import { ROOT } from "./target.ts";
import { run } from "./tools.ts";

export interface Bundle {
  readonly code: string;
  /** The other scripts, by name. */
  readonly scripts: Readonly<Record<string, string>>;
  /** Folders of the npm packages that went in, relative to the project: their licences go along. */
  readonly packages: readonly string[];
}

/**
 * One file costs less than a millisecond more at start than an empty one: a module in it runs only when it is imported.
 * - `charset: ascii`: a one-byte string for V8, half the memory.
 * - no dynamic import: in a single executable only `require` finds Node's own modules, and `import()` breaks the code cache.
 * - names are neither shortened nor kept by a call per function: a stack trace reads well as it is.
 * A native module (`*.node`) among the inputs is an error: it could not be loaded.
 */
export async function bundle(main: string, version: string): Promise<Bundle> {
  const first = await bundled({ entryPoints: [main], plugins: [leftOut, secondScripts()] }, version);
  const others = await Promise.all(
    Object.entries(SECOND_SCRIPTS).map(async ([name, modules]) => {
      const stdin = { contents: entryOf(modules), sourcefile: name, resolveDir: ROOT };
      return { name, ...(await bundled({ stdin, plugins: [leftOut, secondScripts(name)] }, version)) };
    }),
  );
  if (first.packages.length > 0)
    throw new DumpError("UNEXPECTED", `Cannot have ${first.packages.join(", ")} in the handler's script`, {
      hint: "Import it dynamically, from a module that install/build/scripts.ts names",
    });
  const packages = new Set([first, ...others].flatMap((script) => script.packages));
  return {
    code: first.code,
    scripts: Object.fromEntries(others.map(({ name, code }) => [name, wrapped(code)])),
    packages: [...packages].sort(),
  };
}

type Bundled = Pick<Bundle, "code" | "packages">;

async function bundled(what: BuildOptions, version: string): Promise<Bundled> {
  const { outputFiles, metafile } = await build({
    ...what,
    absWorkingDir: ROOT,
    bundle: true,
    write: false,
    metafile: true,
    format: "cjs",
    platform: "node",
    target: "node26",
    minifySyntax: true,
    minifyWhitespace: true,
    charset: "ascii",
    legalComments: "none",
    supported: { "dynamic-import": false },
    inject: [join(import.meta.dirname, "import-meta.ts")],
    define: {
      __VERSION__: JSON.stringify(version),
      "import.meta.url": "importMetaUrl",
      "import.meta.dirname": "__dirname",
      "import.meta.filename": "__filename",
    },
    logLevel: "warning",
  }).catch((cause) => {
    throw new DumpError(
      "UNEXPECTED",
      `Cannot bundle ${what.entryPoints ?? what.stdin?.sourcefile}: esbuild names the errors above`,
      { cause },
    );
  });
  const folder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/;
  const packages = Object.keys(metafile.inputs).flatMap((path) => folder.exec(path)?.[0] ?? []);
  return { code: outputFiles[0]?.text ?? "", packages };
}

/** The release, and the commit when there is one: `1.0.0+36acfb8a41c2`, with `-dirty` when files differ from it. */
export function versionOf(): { readonly release: string; readonly full: string } {
  const { version: release } = createRequire(import.meta.url)("../../package.json") as { version: string };
  try {
    const commit = run("git", ["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"], { cwd: ROOT }).trim();
    return { release, full: `${release}+${commit}` };
  } catch {
    return { release, full: release }; // a source archive, or no git
  }
}
