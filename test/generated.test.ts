import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { COPIES } from "../install/generate/main.ts";

for (const [path, make] of Object.entries(COPIES)) {
  test(`${path} is what \`npm run generate\` writes`, () => {
    assert.equal(readFileSync(join(import.meta.dirname, "..", path), "utf8"), make());
  });
}
