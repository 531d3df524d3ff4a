/** What becomes a path of the API server: names, and nothing else. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isCode } from "../../src/domain/failures.ts";
import { collection, member } from "../../src/kube/objects.ts";
import { ROOT } from "../support/paths.ts";

test("member() and collection() make the API's paths", () => {
  assert.equal(collection("v1", "pods"), "/api/v1/pods");
  assert.equal(collection("v1", "pods", "shop"), "/api/v1/namespaces/shop/pods");
  assert.equal(
    member("coredump.fujitsu.com/v1", "coredumps", "a.b-0", "shop"),
    "/apis/coredump.fujitsu.com/v1/namespaces/shop/coredumps/a.b-0",
  );
});

const WRONG = [
  { on: "the empty name, which is the collection", name: "" },
  { on: "a subresource", name: "web-0/status" },
  { on: "one that the server decodes", name: "web-0%2Fstatus" },
  { on: "a path", name: "/etc/passwd" },
  { on: "the folder itself", name: "." },
  { on: "the folder above", name: ".." },
  { on: "a query", name: "web-0?dryRun=All" },
  { on: "a fragment", name: "web-0#" },
  { on: "a line break", name: "web-0\n" },
  { on: "capitals", name: "Web-0" },
  { on: "a very long one", name: "a".repeat(254) },
];
for (const { on, name } of WRONG) {
  test(`neither an object nor a namespace is called by ${on}`, () => {
    const refused = (error: unknown) => isCode(error, "API_INVALID");
    assert.throws(() => member("v1", "pods", name, "shop"), refused);
    assert.throws(() => member("v1", "pods", "web-0", name), refused);
    assert.throws(() => collection("v1", "pods", name), refused);
  });
}

test("no other code makes a path of the API server out of a name", () => {
  const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts"),
  );
  const made = sources.filter((name) =>
    /encodeURIComponent|namespaces\/\$\{/.test(readFileSync(join(ROOT, "src", name), "utf8")),
  );
  assert.deepEqual(made, ["kube/objects.ts"]);
});
