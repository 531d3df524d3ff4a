/** Where the tests' things lie. */
import { join } from "node:path";

/** The checkout. */
export const ROOT = join(import.meta.dirname, "../..");
/** State of the test bed; `test/testbed/testbed` makes it. */
export const TESTBED = process.env["TESTBED"] ?? "/tmp/coredump-testbed";
/** The test bed's one command. */
export const TESTBED_COMMAND = join(ROOT, "test/testbed/testbed");
/** What `bin/build` makes. */
export const BINARY = join(ROOT, "dist/coredump-detector");
/** A program of test/testbed/programs, compiled. */
export const program = (name: "crash" | "crash-dynamic" | "pause" | "reaper" | "tee-handler"): string =>
  join(TESTBED, "bin", name);
/** What tests start as the program, by Node: bundled when bin/test has done that (bundled.ts), else the sources. */
export const PROGRAM = process.env["COREDUMP_TEST_PROGRAM"] ?? join(ROOT, "src/main.ts");
