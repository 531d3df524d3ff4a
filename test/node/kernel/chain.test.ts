import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { expand } from "../../../src/node/kernel/chain.ts";
import { tempDir } from "../../support/tmp.ts";

const CALL = {
  ...{ hostPid: 7, containerPid: 8, hostTid: 9, threadName: "a/b c", time: 1784000000, signal: 11 },
  ...{ uid: 1000, gid: 100, dumpable: 1, coreLimit: "18446744073709551615", pidfd: 3 },
};
const FACTS = { comm: "co/mm", exe: "/usr/bin/my prog" };

const cases = [
  {
    on: "systemd-coredump's template",
    pattern: "|/lib/systemd/systemd-coredump %P %u %g %s %t %c %h",
    want: ["/lib/systemd/systemd-coredump", "7", "1000", "100", "11", "1784000000", "18446744073709551615", hostname()],
  },
  {
    on: "apport's template",
    pattern: "|/usr/share/apport/apport -p%p -s%s -c%c -d%d -P%P -u%u -g%g -F%F -- %E",
    want: [
      "/usr/share/apport/apport",
      "-p8",
      "-s11",
      "-c18446744073709551615",
      "-d1",
      "-P7",
      "-u1000",
      "-g100",
      "-F3",
      "--",
      "!usr!bin!my prog",
    ],
  },
  { on: "spaces round the program, tabs between words", pattern: "| /x\t%i  %I ", want: ["/x", "9", "9"] },
  {
    on: "names, whose slashes the kernel replaces and whose spaces stay",
    pattern: "|/x %e %f %E",
    want: ["/x", "a!b c", "my prog", "!usr!bin!my prog"],
  },
  { on: "%%, which is one percent sign", pattern: "|/x 100%% %%p", want: ["/x", "100%", "%p"] },
  { on: "unknown specifiers and a lone one at the end, which vanish", pattern: "|/x a%Zb %", want: ["/x", "ab", ""] },
  { on: "several in one word", pattern: "|/x --id=%P.%s", want: ["/x", "--id=7.11"] },
];
for (const { on, pattern, want } of cases) {
  test(`expand() does as the kernel does with ${on}`, () => assert.deepEqual(expand(pattern, CALL, FACTS), want));
}

test("expand() leaves an empty word for what is not known, and takes the comm for an unknown thread's", () => {
  assert.deepEqual(expand("|/x %P %u %e %F", { hostPid: 7 }, FACTS), ["/x", "7", "", "co!mm", ""]);
});

test("expand() makes as many words as the template has, whatever the process calls itself", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (comm, exe) => {
      const words = expand("|/x %e -- %E %f", { ...CALL, threadName: comm }, { comm: "x", exe });
      const path = exe || "x (path unknown)";
      assert.deepEqual(words, [
        "/x",
        comm.replaceAll("/", "!"),
        "--",
        path.replaceAll("/", "!"),
        path.split("/").at(-1),
      ]);
    }),
  );
});

/** passOn() hands over descriptor 0, so it runs in a program of its own. */
function passedOn(handler: string, core: string): { exit: string; started: boolean } {
  using dir = tempDir();
  const program = join(dir.path, "program.mjs");
  const chain = join(import.meta.dirname, "../../../src/node/kernel/chain.ts");
  writeFileSync(
    program,
    `import { passOn } from ${JSON.stringify(chain)};
     let started = false;
     const exit = await passOn([${JSON.stringify(handler)}, "a b"], undefined, () => { started = true; });
     console.log(JSON.stringify({ exit: String(exit), started }));`,
  );
  const out = execFileSync(process.execPath, ["--disable-warning=ExperimentalWarning", program], {
    input: core,
    env: { SECRET: "1" },
    encoding: "utf8",
  });
  return JSON.parse(out) as { exit: string; started: boolean };
}

test("passOn() gives the other handler the stream from its first byte, its words, no environment, and / to be in", () => {
  using dir = tempDir();
  const [handler, seen] = [join(dir.path, "handler"), join(dir.path, "seen")];
  writeFileSync(handler, `#!/bin/sh\n{ cat; echo "$#:$1:$SECRET:$(pwd)"; } > ${seen}\nexit 3\n`);
  chmodSync(handler, 0o700);
  assert.deepEqual(passedOn(handler, "core\n"), { exit: "3", started: true });
  assert.equal(readFileSync(seen, "utf8"), "core\n1:a b::/\n");
});

test("passOn() says that a handler could not be started: then the core is still to be had", () => {
  using dir = tempDir();
  assert.deepEqual(passedOn(join(dir.path, "nothing"), "core"), { exit: "undefined", started: false });
  assert.ok(!existsSync(join(dir.path, "nothing")));
});
