/** The same of processes outside containers: what each kernel that we are run on makes of them (also run under other kernels). */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { assertSameAsKernel, captured } from "../../support/captured.ts";
import { program } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";

const exec = promisify(execFile);
const skip = needs("root", "testbed", "binary");

for (const capture of ["direct", "drain"]) {
  test(`--capture=${capture} takes a host process's core byte for byte`, { skip }, async () => {
    using one = await captured(
      () => exec(program("crash-dynamic"), ["16", "3"]).catch(() => {}),
      [`--capture=${capture}`],
    );
    assertSameAsKernel(one);
    assert.equal(one.record.core.capture, capture);
    assert.equal(one.record.owner, "host");
    assert.equal(one.record.threads[0]?.name, "worker-1");
  });
}
