/**
 * What the run-times' own files on this node say of a container: no daemon, no waiting, well under a millisecond. It runs
 * while the crashed process is held, so everything is synchronous and no package is loaded.
 *
 * The files are root's, at places that the engines chose; nothing here goes where a container could have laid a link.
 */
import type { NodeSettings } from "../../config/options.ts";
import { reasonOf } from "../../domain/failures.ts";
import { containerdStates, containersStorages, dockerDataRoots } from "./places.ts";
import type { ContainerFacts } from "./runtime.ts";
import { containerdContainer } from "./state-containerd.ts";
import { configuredDataRoot, dockerContainerIn } from "./state-docker.ts";
import { storageContainer } from "./state-storage.ts";

/** Where to look; tests have other places than a node. */
export interface StatePlaces {
  readonly containerdStates: readonly string[];
  readonly dockerDataRoots: readonly string[];
  readonly containersStorages: readonly string[];
}

export const statePlaces = (settings: NodeSettings): StatePlaces => ({
  containerdStates: containerdStates(settings),
  dockerDataRoots: dockerDataRoots(),
  containersStorages: containersStorages(),
});

/** What was found of a container, and each file that could not be read, in words. Never throws. */
export function fromStateFiles(id: string, places: StatePlaces): { facts?: ContainerFacts; problems: string[] } {
  const problems: string[] = [];
  for (const look of looks(id, places)) {
    try {
      const facts = look();
      if (facts) return { facts, problems };
    } catch (error) {
      problems.push(reasonOf(error));
    }
  }
  return { problems };
}

function* looks(id: string, places: StatePlaces): Generator<() => ContainerFacts | undefined> {
  for (const state of places.containerdStates) yield () => containerdContainer(state, id);
  for (const storage of places.containersStorages) yield () => storageContainer(storage, id);
  for (const root of places.dockerDataRoots) yield () => dockerContainerIn(root, id);
  yield () => {
    const root = configuredDataRoot();
    return root === null ? undefined : dockerContainerIn(root, id);
  };
}
