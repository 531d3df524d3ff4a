import { readFileSync } from "node:fs";

/** Put in by bin/build; in a checkout there is none, and package.json says it. */
declare const __VERSION__: string | undefined;

export const version = (): string =>
  typeof __VERSION__ === "string"
    ? __VERSION__
    : (JSON.parse(readFileSync(`${import.meta.dirname}/../../package.json`, "utf8")) as { version: string }).version;
