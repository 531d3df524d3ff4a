/** This program's version. */
import { assetText } from "../../system/asset.ts";

/** Put in by bin/build; in a checkout there is none, and package.json says it. */
declare const __VERSION__: string | undefined;

export const version = (): string =>
  typeof __VERSION__ === "string"
    ? __VERSION__
    : (JSON.parse(assetText("package.json")) as { version: string }).version;
