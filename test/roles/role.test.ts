/** One format of log lines in all roles. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../support/paths.ts";

const SCRIPT = (fd: number) => `
  import { logOf } from ${JSON.stringify(join(ROOT, "src/roles/role.ts"))};
  (await logOf({ verbosity: 0 }, ${fd})).warn({ where: "store" }, "away");
`;

for (const fd of [1, 2])
  test(`logOf() writes times as ISO 8601 in milliseconds and levels by name, to descriptor ${fd}`, () => {
    const { output } = spawnSync(process.execPath, ["--input-type=module", "--eval", SCRIPT(fd)], { encoding: "utf8" });
    const { time, ...line } = JSON.parse(`${output[fd]}`.split("\n")[0] ?? "");
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(line, { level: "warn", where: "store", msg: "away" });
  });
