/** The collector as a process, and a store with bundles that nobody had to make. */
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type CoredumpIdentity, keyOfCoredump } from "../../src/store/bundle/key.ts";
import { coredump, statusPatch } from "./coredump-resources.ts";
import { eventually } from "./eventually.ts";
import type { Resource, User } from "./kubectl.ts";
import { freePort, RoleProcess, SOURCES } from "./role-process.ts";

export class Gc extends RoleProcess {
  /** Started, and not waited for. It looks again all the time. */
  static async start(kubeconfig: string, ...flags: readonly string[]): Promise<Gc> {
    const port = await freePort();
    const own = ["--kubeconfig", kubeconfig, "--metrics-port", `${port}`, "--lease-duration", "2s", "--interval", "2s"];
    return new Gc(SOURCES, ["gc", ...own, ...flags], port);
  }

  async leads(): Promise<void> {
    await eventually(async () => {
      if ((await this.metric("coredump_gc_leading")) !== 1) throw new Error(`it does not lead: ${this.said}`);
    });
  }

  /** Went over everything once more, from now on. */
  async looksAgain(): Promise<void> {
    const rounds = () => this.metric('coredump_gc_round_seconds_count{over="all"}');
    const before = await eventually(rounds);
    await eventually(async () => {
      if ((await rounds()) < before + 2) throw new Error(`it does not look again: ${this.said}`);
    });
  }
}

/** A directory as the store. */
export class BundleFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** @param ageMs  since when it has been there */
  put(key: string, sizeBytes = 1000, ageMs = 0): string {
    const path = join(this.path, key);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, Buffer.alloc(sizeBytes));
    const time = new Date(Date.now() - ageMs);
    utimesSync(path, time, time);
    return key;
  }

  /** All keys. */
  keys(): string[] {
    return readdirSync(this.path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith("."))
      .map((entry) => join(entry.parentPath, entry.name).slice(this.path.length + 1))
      .sort();
  }
}

export interface StoredDump {
  readonly name: string;
  readonly key: string;
}

let dumps = 0;

/** A Coredump that is Saved, as its agent leaves it, and its bundle's key. The bundle itself is the caller's. */
export async function savedDump(
  admin: User,
  namespace: Resource,
  podUid: string,
  { state = "Saved", ...spec }: Record<string, unknown> & { state?: string } = {},
): Promise<StoredDump> {
  const id = `01939b5a-7c11-7e21-9c3d-${`${++dumps}`.padStart(12, "0")}`;
  const { name: within, uid: namespaceUid } = namespace.metadata as { name: string; uid: string };
  const name = `dump-${dumps}`;
  const object = coredump(name, { id, uid: podUid, namespaceUid, size: "1Mi", ...spec });
  await admin.in(within).send("create", object);
  await admin.in(within).kubectl("patch", "coredump", name, ...statusPatch({ state }));
  return { name, key: keyOfCoredump(within, object["spec"] as CoredumpIdentity) };
}
