/** The image for all roles: the same bytes for the same sources, and it runs where it is loaded, as nobody. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, globSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { MACHINES } from "../../../install/build/target.ts";
import { type Engine, startEngine } from "../../support/engines.ts";
import { ROOT } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";
import { type TempDir, tempDir } from "../../support/tmp.ts";

const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
const IMAGE = `localhost/coredump-detector:${version}`;
const PROGRAM = "/coredump/coredump-detector";
const NOBODY = 65532;
const HERE = MACHINES[process.arch as keyof typeof MACHINES].debian;
const skip = needs("root", "testbed", "binary");

interface Made extends Disposable {
  readonly out: string;
  /** sha256:… */
  readonly digest: string;
}

function make(arch: string): Made {
  const folder: TempDir = tempDir();
  const printed = execFileSync(join(ROOT, "install/image/image.sh"), ["--arch", arch, "--out", folder.path], {
    encoding: "utf8",
  });
  const digest = /@(sha256:[0-9a-f]{64}) /.exec(printed)?.[1] ?? assert.fail(printed);
  return { out: folder.path, digest, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

let shared: Made | undefined;
/** For this machine; made once. */
const image = (): Made => {
  shared ??= make(HERE);
  return shared;
};
after(() => shared?.[Symbol.dispose]());

const outputOf = async (engine: Engine, ...args: string[]): Promise<string> => {
  const { exitCode, output } = await engine.run({ image: IMAGE, command: args, uid: NOBODY, hostNetwork: true });
  assert.equal(exitCode, 0, output);
  return output;
};

test("the image runs in containerd as nobody, whatever role it is told", { skip }, async () => {
  await using engine = await startEngine("containerd-2");
  await engine.client("images", "import", join(image().out, `coredump-detector-${version}-image.tar`));
  assert.match(await engine.client("images", "ls"), new RegExp(`${IMAGE} .*${image().digest}`));
  assert.match(await outputOf(engine, PROGRAM, "--version"), new RegExp(` ${version.replaceAll(".", "\\.")}\\+`));
  assert.match(await outputOf(engine, PROGRAM, "controller", "--help"), /--lease-duration/);
});

test("the image says what it is, and starts the program as nobody by itself", { skip }, () => {
  using layout = tempDir();
  execFileSync("tar", ["-xf", join(image().out, `coredump-detector-${version}-image.tar`), "-C", layout.path]);
  const blob = ({ digest = "" }: { digest?: string }) =>
    JSON.parse(readFileSync(join(layout.path, "blobs/sha256", digest.replace("sha256:", "")), "utf8"));
  const top = JSON.parse(readFileSync(join(layout.path, "index.json"), "utf8"));
  const index = blob(top.manifests[0]);
  assert.deepEqual(index.manifests[0].platform, { architecture: HERE, os: "linux" });
  const { config, architecture } = blob(blob(index.manifests[0]).config);
  assert.deepEqual([config.User, config.Entrypoint, architecture], [`${NOBODY}:${NOBODY}`, [PROGRAM], HERE]);
  assert.equal(config.Labels["org.opencontainers.image.version"], version);
  assert.match(config.Labels["org.opencontainers.image.revision"], /^[0-9a-f]{40}$/);
  assert.equal(
    config.Labels["org.opencontainers.image.created"],
    index.annotations["org.opencontainers.image.created"],
  );
});

test("the Dockerfile makes the same files an image", { skip }, async () => {
  await using docker = await startEngine("docker");
  const dockerfile = join(ROOT, "install/image/Dockerfile");
  await docker.client("build", "--build-arg", `TARGETARCH=${HERE}`, "-f", dockerfile, "-t", IMAGE, image().out);
  assert.match(await outputOf(docker, "--version"), new RegExp(`^${version.replaceAll(".", "\\.")}\\+`));
});

/** All that goes into it, as it is now. */
function sources(): string {
  const hash = createHash("sha256").update(execFileSync("git", ["describe", "--always", "--dirty"], { cwd: ROOT }));
  for (const entry of globSync("{src,install,containerd,etcd,systemd}/**/*", { cwd: ROOT, withFileTypes: true }))
    if (entry.isFile()) hash.update(readFileSync(join(entry.parentPath, entry.name)));
  return hash.digest("hex");
}

test("the same sources give the same image", { skip }, (t) => {
  const before = sources();
  using one = make(HERE);
  using two = make(HERE);
  if (sources() !== before) return t.skip("somebody changed the sources meanwhile");
  assert.equal(two.digest, one.digest);
});

test("the image for arm64 has what it needs to start", {
  skip: needs("root", "binary", "command:qemu-aarch64-static"),
}, () => {
  using arm = make("arm64");
  using root = tempDir();
  execFileSync("tar", ["-xf", join(arm.out, "root-arm64.tar"), "-C", root.path]);
  mkdirSync(join(root.path, "proc"));
  copyFileSync("/usr/bin/qemu-aarch64-static", join(root.path, "qemu"));
  const script = 'mount --bind /proc "$0/proc"; exec env -i "$(command -v chroot)" "$0" /qemu "$@"';
  const args = ["--mount", "--propagation=private", "sh", "-c", script, root.path, PROGRAM, "--version"];
  assert.ok(execFileSync("unshare", args, { encoding: "utf8" }).startsWith(version));
});
