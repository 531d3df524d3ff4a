/** Writes the committed copies of what is declared in the sources. `npm run generate`; test/generated.test.ts compares. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { chartSchema } from "./chart-schema.ts";
import { chartValues } from "./chart-values.ts";
import { metricsPage } from "./metrics.ts";
import { optionsPage } from "./options.ts";

export const COPIES: Readonly<Record<string, () => string>> = {
  "docs/metrics.md": metricsPage,
  "docs/options.md": optionsPage,
  "install/chart/values.schema.json": chartSchema,
  "install/chart/files/values.json": chartValues,
};

if (import.meta.main) {
  const root = join(import.meta.dirname, "../..");
  for (const [path, make] of Object.entries(COPIES)) writeFileSync(join(root, path), make());
}
