/** The krew manifest: its packages are what the tarballs have, without the links that krew refuses. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { pack } from "../../../install/build/tarball.ts";
import { ROOT } from "../../support/paths.ts";
import { tempDir } from "../../support/tmp.ts";

const SCRIPT = join(ROOT, "install/krew/krew.sh");

test("krew.sh makes a package of each machine's tarball, and names it with its sum", async () => {
  using folder = tempDir();
  const files = join(folder.path, "files");
  mkdirSync(join(files, "lib"), { recursive: true });
  writeFileSync(join(files, "coredump-detector"), "#!/bin/sh\n");
  chmodSync(join(files, "coredump-detector"), 0o755);
  writeFileSync(join(files, "lib/liba.so"), "a");
  writeFileSync(join(files, "install.sh"), "");
  symlinkSync("coredump-detector", join(files, "kubectl-coredump"));
  const names = ["coredump-detector", "kubectl-coredump", "lib", "install.sh"];
  for (const machine of ["x64", "arm64", "x64-own-libc"]) {
    const top = `coredump-detector-1.2.3-linux-${machine}`;
    await pack(files, names, top, join(folder.path, `${top}.tar.gz`));
  }
  const out = join(folder.path, "krew");
  const run = (...args: string[]) =>
    execFileSync("sh", [SCRIPT, ...args], {
      env: { ...process.env, DIST: folder.path },
      encoding: "utf8",
      stdio: "pipe",
    });
  assert.match(run("https://releases.example/v1.2.3/", out), /coredump\.yaml is ready/);
  const { spec } = parse(readFileSync(join(out, "coredump.yaml"), "utf8"));
  assert.equal(spec.version, "v1.2.3");
  const machines = spec.platforms.map(
    ({ selector }: { selector: { matchLabels: { arch: string } } }) => selector.matchLabels.arch,
  );
  assert.deepEqual(machines.sort(), ["amd64", "arm64"]);
  for (const { uri, sha256, bin } of spec.platforms) {
    assert.match(uri, /^https:\/\/releases\.example\/v1\.2\.3\/kubectl-coredump-1\.2\.3-linux-(amd|arm)64\.tar\.gz$/);
    const file = join(out, uri.split("/").at(-1));
    assert.equal(createHash("sha256").update(readFileSync(file)).digest("hex"), sha256);
    const listed = execFileSync("tar", ["-tvzf", file], { encoding: "utf8" });
    assert.match(listed, new RegExp(`^-rwx\\S+ .* \\./${bin}$`, "m"));
    assert.match(listed, /\.\/lib\/liba\.so$/m);
    assert.doesNotMatch(listed, /^l|install\.sh/m);
  }
  assert.throws(() => run("releases.example", out), /not a URL/);
});
