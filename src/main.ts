/** The kernel's call goes to the handler at once; under kubectl's names for a plugin it is one; anything else is a command. */
import { basename } from "node:path";
import { isKernelCall } from "./node/kernel/arguments.ts";

async function main(argv: readonly string[]): Promise<void> {
  if (isKernelCall(argv)) {
    const { handleKernelCall } = await import("./roles/handler/host.ts");
    process.exit(await handleKernelCall(argv));
  }
  const name = basename(process.argv0); // a link's own, which process.execPath is not
  if (name === "kubectl-coredump") {
    process.exitCode = await (await import("./cli/kubectl/cli.ts")).runPlugin(argv);
    return;
  }
  if (name === "kubectl_complete-coredump") return await (await import("./cli/kubectl/complete.ts")).complete(argv);
  if (argv[0] === "deliver") return (await import("./roles/deliver.ts")).deliver(); // by the agent, for itself
  if (argv[0] === "read-stack") return await (await import("./node/capture/apart.ts")).answerApart(); // by the handler, for itself
  if (argv[0] === "agent" || argv[0] === "apiserver") (await import("./system/footprint.ts")).staySmall(); // before the rest is loaded
  const { runCli } = await import("./cli/commands/cli.ts");
  process.exitCode = await runCli(argv);
}

void main(process.argv.slice(2));
