import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { mountOf, weakSpot } from "../../../src/node/install/trusted.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";

const FILE = "/opt/here/coredump-detector";

/** A root with /opt/here in it, mode 0755 all the way. */
function tree(): { root: string } & Disposable {
  const temp = tempDir();
  mkdirSync(join(temp.path, "opt/here"), { recursive: true, mode: 0o755 });
  return { root: temp.path, [Symbol.dispose]: () => temp[Symbol.dispose]() };
}

test("weakSpot() finds nothing where only root can write, down to what does not exist yet", () => {
  using at = tree();
  assert.equal(weakSpot(FILE, at.root), undefined);
  assert.equal(weakSpot("/not/there/at/all", at.root), undefined);
});

const modes = [
  { mode: 0o777, weak: /\/opt can be written by others \(mode 0777\)/ },
  { mode: 0o1777, weak: /mode 1777/ }, // sticky protects files that are there, not names that are free
  { mode: 0o775, weak: undefined }, // the group is root's
  { mode: 0o711, weak: undefined },
];
for (const { mode, weak } of modes) {
  test(`weakSpot() judges a directory of mode ${mode.toString(8)} on the way`, { skip: needs("root") }, () => {
    using at = tree();
    chmodSync(join(at.root, "opt"), mode);
    const found = weakSpot(FILE, at.root);
    if (weak) assert.match(found ?? "", weak);
    else assert.equal(found, undefined);
  });
}

test("weakSpot() counts a group that is not root's, and another owner", { skip: needs("root") }, () => {
  using at = tree();
  chmodSync(join(at.root, "opt/here"), 0o775);
  chownSync(join(at.root, "opt/here"), 0, 1000);
  assert.match(weakSpot(FILE, at.root) ?? "", /^\/opt\/here can be written by others/);
  chownSync(join(at.root, "opt/here"), 1000, 0);
  assert.match(weakSpot(FILE, at.root) ?? "", /^\/opt\/here belongs to uid 1000/);
});

test("weakSpot() follows links, and looks at every directory that they lead through", () => {
  using at = tree();
  mkdirSync(join(at.root, "open/inner"), { recursive: true });
  chmodSync(join(at.root, "open"), 0o777);
  symlinkSync("../open/inner", join(at.root, "opt/relative"));
  symlinkSync("/open/inner", join(at.root, "opt/absolute"));
  symlinkSync("/opt/here", join(at.root, "opt/fine"));
  assert.match(weakSpot("/opt/relative/x", at.root) ?? "", /^\/open can be written/);
  assert.match(weakSpot("/opt/absolute/x", at.root) ?? "", /^\/open can be written/);
  assert.equal(weakSpot("/opt/fine/x", at.root), undefined);
});

test("weakSpot() ends on links that lead round in a circle", () => {
  using at = tree();
  symlinkSync("/opt/b", join(at.root, "opt/a"));
  symlinkSync("/opt/a", join(at.root, "opt/b"));
  assert.match(weakSpot("/opt/a/x", at.root) ?? "", /too many symbolic links/);
});

test("mountOf() takes the longest mount point, and of equal ones the one on top", () => {
  using at = tree();
  const [opt, here, space] = [`${at.root}/opt`, `${at.root}/opt/here`, `${at.root}/with space`];
  for (const directory of [space, `${at.root}/optics`]) mkdirSync(directory);
  const table = `22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 0:25 / ${opt} rw,noexec - tmpfs tmpfs rw
31 30 0:26 / ${here} rw shared:4 - tmpfs tmpfs rw
33 31 0:28 / ${here} rw,nosuid - xfs tmpfs rw
34 22 0:29 / ${space.replace(" ", "\\040")} rw,noexec - tmpfs tmpfs rw
`;
  assert.equal(mountOf("/nowhere/x", table)?.mountPoint, "/");
  assert.deepEqual(mountOf(`${opt}/not/yet`, table)?.options, ["rw", "noexec"]);
  assert.equal(mountOf(`${here}/deep/x`, table)?.type, "xfs");
  assert.equal(mountOf(`${at.root}/optics`, table)?.mountPoint, "/"); // its name only begins like /opt
  assert.deepEqual(mountOf(`${space}/x`, table)?.options, ["rw", "noexec"]);
});

test("mountOf() never throws on a table", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (table) => void mountOf("/opt/x", table)));
});
