/** Agents of a test: the real command on this machine, as a node's. */
import { freePort, RELEASED, RoleProcess, SOURCES } from "./role-process.ts";

export class Agent extends RoleProcess {
  /** Of the sources. Started, and not waited for. */
  static start(...flags: readonly string[]): Promise<Agent> {
    return Agent.#run(SOURCES, flags);
  }

  /** The released executable. */
  static startReleased(...flags: readonly string[]): Promise<Agent> {
    return Agent.#run(RELEASED, flags);
  }

  static async #run(program: readonly string[], flags: readonly string[]): Promise<Agent> {
    const port = await freePort();
    return new Agent(program, ["agent", "--v=1", `--metrics-port=${port}`, ...flags], port);
  }
}
