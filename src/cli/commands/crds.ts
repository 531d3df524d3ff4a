/** `crds`: installs or upgrades the custom resource definitions. */
import type { CommandModule } from "yargs";
import { NODE_OPTIONS } from "../../config/options.ts";
import { connect } from "../../kube/http.ts";
import { putCrds } from "../../roles/crds.ts";
import { print } from "../output/print.ts";
import { flagsOf, type Parsed } from "./flags.ts";
import { settingsGiven } from "./given.ts";

const OPTIONS = { kubeconfig: NODE_OPTIONS.kubeconfig };
const PATIENCE_MS = 60_000;

export const command: CommandModule<object, Parsed> = {
  command: "crds",
  describe: "install or upgrade the custom resource definitions",
  builder: (yargs) => yargs.options(flagsOf(OPTIONS)),
  async handler(argv) {
    const http = await connect(settingsGiven(argv, OPTIONS).kubeconfig);
    const names = await putCrds(http, AbortSignal.timeout(PATIENCE_MS));
    await print(names.map((name) => `${name} is there\n`).join(""));
  },
};
