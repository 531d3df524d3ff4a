/**
 * What engines left on a disk, captured while a container of theirs ran: its cgroup lines and the
 * state files, shortened. That of CRI-O is written after its source (internal/factory/container), not captured.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { StatePlaces } from "../../../src/node/identity/state-files.ts";
import { type TempDir, tempDir } from "../../support/tmp.ts";

export interface Captured extends TempDir {
  readonly id: string;
  readonly cgroup: Buffer;
  readonly places: StatePlaces;
}

export const NO_PLACES: StatePlaces = { containerdStates: [], dockerDataRoots: [], containersStorages: [] };

/**
 * Lays the files of `fixtures/<name>.json` out below a new folder, where the engine's own root was.
 * @param change a last change to the fixture's text: what another engine, or an attacker, would have written
 */
export function captured(name: string, change = (text: string): string => text): Captured {
  const folder = tempDir();
  const text = readFileSync(join(import.meta.dirname, "fixtures", `${name}.json`), "utf8");
  const fixture = JSON.parse(change(text.replaceAll("@ROOT@", folder.path)));
  for (const [path, content] of Object.entries(fixture.files)) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, JSON.stringify(content));
  }
  return {
    ...folder,
    id: fixture.id,
    cgroup: Buffer.from(`${fixture.cgroup.join("\n")}\n`),
    places: {
      containerdStates: [join(folder.path, "run"), join(folder.path, "run/docker/containerd/daemon")],
      dockerDataRoots: [join(folder.path, "data")],
      containersStorages: [join(folder.path, "storage")],
    },
  };
}
