/** `kubectl coredump debug` and real engines: the crashed image's files out of each, and nothing left in it. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { Api } from "../../cli/client/api.ts";
import { type Crashing, crashing } from "../../cli/client/crashing.ts";
import { plugin } from "../../cli/kubectl/run.ts";
import { startEngine } from "../../support/engines.ts";
import { makeImage } from "../../support/images.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "testbed", "command:gdb", "command:gcc");
const NAME = "web-0-server-3f9c2a71b0de";

let shared: Crashing | undefined;
after(() => shared?.[Symbol.dispose]());

for (const kind of ["docker", "containerd-2"] as const) {
  test(`debug takes the image's files from ${kind}, and leaves nothing there`, { skip }, async () => {
    await using engine = await startEngine(kind);
    await using api = await Api.start();
    shared ??= crashing();
    const { core, exe, image } = shared;
    const client = join(engine.folder, "bin", kind === "docker" ? "docker" : "ctr");
    const load = kind === "docker" ? ["load", "--quiet", "--input"] : ["images", "import"];
    makeImage(
      "server",
      ({ folder }) => cpSync(image, folder, { recursive: true, verbatimSymlinks: true }),
      (tar) => {
        execFileSync(client, [...load, tar], { stdio: "pipe" });
      },
    );
    const left = async (): Promise<string> =>
      kind === "docker" ? await engine.client("ps", "--all", "--quiet") : await engine.client("snapshots", "list");
    const before = await left();
    api.saved(NAME, core, { spec: { filename: "server", exe, image: "localhost/server:1" } });
    const env = { PATH: `${engine.folder}/bin:/usr/bin:/bin`, TMPDIR: api.folder.path };
    const args = ["debug", NAME, "--print-backtrace", "--kubeconfig", api.kubeconfig];
    const { code, stdout, stderr } = await plugin(args, { env });
    assert.equal(code, 0, stderr);
    assert.match(stdout.toString(), /^#0 +.*crash_in_library \(depth=0\) at .*library\.c:1$/m);
    assert.equal(await left(), before);
    assert.deepEqual(readdirSync(api.folder.path), ["kubeconfig"]);
  });
}
