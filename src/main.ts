/** The kernel's call goes to the handler at once; anything else is a command. */
import { isKernelCall } from "./kernel/arguments.ts";

async function main(argv: readonly string[]): Promise<void> {
  if (isKernelCall(argv)) {
    const { handleKernelCall } = await import("./roles/host.ts");
    process.exit(await handleKernelCall(argv));
  }
  if (argv[0] === "agent") (await import("./system/footprint.ts")).staySmall(); // before the rest is loaded
  const { runCli } = await import("./commands/cli.ts");
  process.exitCode = await runCli(argv);
}

void main(process.argv.slice(2));
