/** doctor on this very machine, its self-test under the real kernel. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { BINARY } from "../../support/paths.ts";
import { withPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";

const skip = needs("root", "binary", "command:prlimit");

interface Report {
  problems: number;
  checks: { check: string; level: string; text: string; hint: string | null }[];
}

function doctor(...flags: string[]): { status: number | null; report: Report } {
  const { status, stdout, stderr } = spawnSync(BINARY, ["doctor", "-o", "json", ...flags], { encoding: "utf8" });
  assert.notEqual(stdout, "", stderr);
  return { status, report: JSON.parse(stdout) as Report };
}

const found = ({ checks }: Report, name: string) => checks.find(({ check }) => check === name);

/** Installed with these settings, under the lock, and taken away again. */
async function installed(
  settings: string[],
  work: (place: string, dumpDir: string) => void,
  pattern = "core",
): Promise<void> {
  using folder = tempDir();
  const [place, dumpDir] = [mkdtempSync("/opt/cd-"), join(folder.path, "cores")];
  const run = (...args: string[]) => assert.equal(spawnSync(BINARY, [...args, "--bin-dir", place]).status, 0);
  try {
    await withPattern(
      pattern,
      async () => {
        run("install", `--dump-dir=${dumpDir}`, ...settings);
        work(place, dumpDir);
        run("uninstall");
      },
      { limit: 0, suidDumpable: 0 },
    );
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

const policies = [
  { on: "as it is installed", settings: [], pattern: "core" },
  { on: "where host processes are ignored", settings: ["--host=ignore"], pattern: "core" },
  { on: "where host processes are passed on", settings: ["--host=chain"], pattern: "|/bin/false" },
];
for (const { on, settings, pattern } of policies) {
  test(`doctor --self-test finds its own crash captured ${on}, and leaves nothing of it`, { skip }, async () => {
    const work = (_: string, dumpDir: string) => {
      const { status, report } = doctor("--self-test");
      assert.match(
        found(report, "self-test")?.text ?? "",
        /^crashed pid \d+, captured complete in [\d.]+ s, identified as .*, removed again$/,
      );
      assert.equal(found(report, "pattern")?.level, "ok");
      assert.equal(found(report, "handler")?.level, "ok");
      assert.equal(status, report.problems === 0 ? 0 : 1, JSON.stringify(report));
      assert.deepEqual(
        readdirSync(dumpDir).filter((name) => !name.startsWith(".")),
        [],
      );
    };
    await installed(settings, work, pattern);
  });
}

test("doctor --self-test says why nothing came, as the kernel tells it", { skip }, async () => {
  await installed([], () => {
    const { status, stdout } = spawnSync("prlimit", ["--core=1", BINARY, "doctor", "--self-test", "-o", "json"], {
      encoding: "utf8",
    });
    assert.equal(status, 1);
    const text = found(JSON.parse(stdout), "self-test")?.text ?? "";
    assert.match(text, /^crashed pid \d+, but the kernel called no handler: RLIMIT_CORE is set to 1/);
  });
});

test("doctor --self-test says so when the handler cannot be started", { skip }, async () => {
  await installed([], (place) => {
    chmodSync(join(place, "coredump-detector"), 0o644);
    const { status, report } = doctor("--self-test");
    assert.equal(status, 1);
    assert.match(found(report, "handler")?.text ?? "", /not executable$/);
    assert.match(found(report, "self-test")?.text ?? "", /^no process of ours could be crashed: /);
  });
});

test("doctor names what is wrong on a node without us, and ends with 1", { skip }, async () => {
  await withPattern(
    "|/usr/lib/systemd/systemd-coredump %P",
    async () => {
      const { status, report } = doctor("--bin-dir", "/nowhere");
      assert.equal(status, 1);
      assert.match(found(report, "pattern")?.text ?? "", /^systemd-coredump's: /);
      assert.match(found(report, "handler")?.text ?? "", /no such file/);
      assert.equal(report.problems, report.checks.filter(({ level }) => level === "problem").length);
      assert.ok(report.checks.every(({ level, hint }) => level !== "problem" || hint));
    },
    { limit: 0, suidDumpable: 0 },
  );
});

test("doctor names an engine's socket that nobody listens on", { skip }, () => {
  const { report } = doctor("--cri-endpoint", "unix:///nowhere/containerd.sock");
  assert.match(found(report, "containerd")?.text ?? "", /^\/nowhere\/containerd\.sock: no such socket$/);
});
