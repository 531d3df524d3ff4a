/** helm as an admin runs it. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT, TESTBED } from "./paths.ts";

const exec = promisify(execFile);
const PROGRAM = join(TESTBED, "helm/helm");
export const CHART = join(ROOT, "install/chart");

/** @returns what it printed. @throws Error with what it said */
export async function helm(kubeconfig: string | undefined, ...args: readonly string[]): Promise<string> {
  const env = { ...process.env, ...(kubeconfig !== undefined && { KUBECONFIG: kubeconfig }) };
  return (await exec(PROGRAM, args, { env, maxBuffer: 16 << 20 })).stdout;
}

/** What it says when it refuses. @throws Error when it does not */
export async function helmRefusal(kubeconfig: string | undefined, ...args: readonly string[]): Promise<string> {
  const said = await helm(kubeconfig, ...args).then(
    () => undefined,
    (error: Error & { stderr?: string }) => error.stderr ?? error.message,
  );
  if (said === undefined) throw new Error(`helm ${args.join(" ")} did not refuse`);
  return said;
}
