/** `doctor`: the container engines' sockets. */
import type { Step } from "../install/step.ts";
import { ok, problem, warning } from "../install/step.ts";

/** How a connection to an engine's socket went. */
export interface EngineReading {
  readonly address: string;
  /** The errno's name (`EACCES`), `timeout`; undefined when the connection was accepted. */
  readonly failure: string | undefined;
}

const MEANING: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  ECONNREFUSED: "nothing listens there: is the engine down?",
  ENOENT: "no such socket",
  ENOTSOCK: "not a socket",
  timeout: "no answer within 2 s",
};

const WITHOUT = "dumps will be identified from its state files only";

export function checkEngines(engines: readonly EngineReading[]): Step[] {
  if (engines.length > 0) return engines.map(checkEngine);
  const hint = "Crashes in containers get no pod's name; pass --cri-endpoint or --docker-host if there is an engine";
  return [warning("engines", "no engine's socket in any known place", hint)];
}

function checkEngine({ address, failure }: EngineReading): Step {
  const name = nameOf(address);
  if (failure === undefined) return ok(name, `${address} reachable`);
  const remedy = failure === "EACCES" || failure === "EPERM" ? "run as root" : "see to the engine";
  return problem(name, `${address}: ${MEANING[failure] ?? failure}`, `${WITHOUT}; ${remedy}, or pass --cri-endpoint`);
}

const nameOf = (address: string): string =>
  ["cri-dockerd", "docker", "crio", "containerd", "k0s", "podman"].find((name) => address.includes(name)) ?? "engine";
