/** What kubectl is asked to do in the debugger's pod, and what its answers mean. */
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gdbImageOf, imageForAll } from "../../../src/cli/client/debug/gdb-image.ts";
import { PodShell } from "../../../src/cli/client/debug/pod-shell.ts";
import { DumpError } from "../../../src/domain/failures.ts";
import type { KubeHttp } from "../../../src/kube/http.ts";
import { tempDir } from "../../support/tmp.ts";

/** A kubectl that runs the command here, where only some tools are: as in an image. */
function withImage(folder: string, tools: readonly string[]): void {
  const image = join(folder, "image");
  mkdirSync(image);
  for (const tool of tools) symlinkSync(`/usr/bin/${tool}`, join(image, tool));
  const kubectl = `#!/bin/bash
while [ "$1" != -- ]; do shift; done; shift
PATH=${image}
command -v "$1" > /dev/null || { echo "exec failed: \\"$1\\": executable file not found in \\$PATH: unknown" >&2; exit 126; }
"$@" || { code=$?; echo "command terminated with exit code $code" >&2; exit $code; }
`;
  writeFileSync(join(folder, "kubectl"), kubectl, { mode: 0o755 });
}

const TOOLS = ["sh", "cat", "head", "od", "wc"];
const lacks = [
  { on: "gdb", tools: TOOLS, says: /the image tools:1 has no gdb/ },
  {
    on: "od",
    tools: [...TOOLS.filter((tool) => tool !== "od"), "true"],
    gdb: true,
    says: /the image tools:1 has no od/,
  },
  { on: "a shell", tools: ["cat"], says: /the image tools:1 has no sh/ },
];
for (const { on, tools, gdb, says } of lacks) {
  test(`putCore() says that the image lacks ${on}`, async (t) => {
    using folder = tempDir();
    withImage(folder.path, tools);
    if (gdb) symlinkSync("/bin/true", join(folder.path, "image/gdb"));
    const before = process.env["PATH"];
    t.after(() => (process.env["PATH"] = before));
    process.env["PATH"] = `${folder.path}:${before}`;
    const core = (async function* () {
      for (let at = 0; at < 64; at++) yield Buffer.alloc(1 << 20);
    })();
    const put = new PodShell([], "pod", "tools:1").putCore(core, new AbortController().signal);
    await assert.rejects(put, { name: "DumpError", code: "TOOL_MISSING", message: says });
  });
}

test("gdbImageOf() takes the flag, then the environment, then the file; else says where to name it", () => {
  using folder = tempDir();
  const env = { HOME: folder.path };
  assert.throws(
    () => gdbImageOf(undefined, env),
    (error: { code: string; hint: string }) => {
      assert.equal(error.code, "USAGE");
      assert.ok(error.hint.includes(`${folder.path}/.config/coredump/gdb-image or COREDUMP_GDB_IMAGE`));
      return true;
    },
  );
  assert.equal(gdbImageOf(undefined, env, "of/cluster:1"), "of/cluster:1");
  mkdirSync(join(folder.path, ".config/coredump"), { recursive: true });
  writeFileSync(join(folder.path, ".config/coredump/gdb-image"), "of/file:1\n# more\n");
  assert.equal(gdbImageOf(undefined, env, "of/cluster:1"), "of/file:1");
  assert.equal(gdbImageOf("", { ...env, COREDUMP_GDB_IMAGE: "of/env:1" }), "of/env:1");
  assert.equal(gdbImageOf("of/flag:1", { ...env, COREDUMP_GDB_IMAGE: "of/env:1" }), "of/flag:1");
  const other = { ...env, XDG_CONFIG_HOME: join(folder.path, ".config/coredump/gdb-image") };
  assert.throws(() => gdbImageOf(undefined, other), { code: "USAGE" }); // not a folder: nothing is there
});

test("imageForAll() is what the chart published, and nothing where that is not there or not to be read", async () => {
  const paths: string[] = [];
  const answering = (body: unknown): KubeHttp => ({
    stream: () => assert.fail("nothing is streamed"),
    json: async <T>({ path }: { path: string }) => {
      paths.push(path);
      if (body instanceof Error) throw body;
      return body as T;
    },
  });
  const { signal } = new AbortController();
  assert.equal(await imageForAll(answering({ data: { debugImage: "tools/gdb:1\n" } }), signal), "tools/gdb:1");
  for (const other of [{}, { data: {} }, { data: { debugImage: " " } }, new DumpError("API_DENIED", "no")])
    assert.equal(await imageForAll(answering(other), signal), undefined);
  assert.equal(paths[0], "/api/v1/namespaces/kube-public/configmaps/coredump-detector");
});
