import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { ROOT } from "../../support/paths.ts";

interface Role {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly rules: readonly { readonly resources: readonly string[]; readonly verbs: readonly string[] }[];
}

test("docs/security.md has a line for each right in the whole cluster, and no other", () => {
  const files = globSync("install/rbac/*.yaml", { cwd: ROOT }).map((file) => readFileSync(join(ROOT, file), "utf8"));
  const roles = files.flatMap((text) =>
    parseAllDocuments(text).flatMap((document) => (document.toJS() as Role | null) ?? []),
  );
  const granted = roles
    .filter(({ kind }) => kind === "ClusterRole")
    .flatMap(({ metadata: { name }, rules }) =>
      rules.flatMap(({ resources, verbs }) =>
        resources.map((resource) => `| ${name} | ${resource} | ${verbs.join(", ")} |`),
      ),
    );
  const page = readFileSync(join(ROOT, "docs/security.md"), "utf8");
  const told = [...page.matchAll(/^(\| coredump-\S+ \| \S+ \| [a-z, ]+ \|) \S.* \|$/gm)].map(([, row]) => row);
  assert.deepEqual(told.sort(), granted.sort());
});
