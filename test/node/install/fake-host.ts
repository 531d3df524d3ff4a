/** A host in a folder: its root, its /proc/sys, and a program to install. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Host } from "../../../src/node/install/host.ts";
import { SETTINGS, type Setting } from "../../../src/node/kernel/core-pattern.ts";

export interface FakeHost extends Host, Disposable {
  /** What `run()` was asked for, but for programs that were installed there: those run. */
  readonly ran: string[];
  get(setting: Setting): string;
  set(setting: Setting, value: string): void;
  write(path: string, text: string, mode?: number): void;
  read(path: string): string;
}

export interface FakeHostOptions {
  readonly systemd?: boolean;
  readonly pattern?: string;
}

export function fakeHost({ systemd = false, pattern = "core" }: FakeHostOptions = {}): FakeHost {
  const folder = mkdtempSync(join(tmpdir(), "cd-host-"));
  const [root, procSys] = [join(folder, "root"), join(folder, "sys")];
  const ran: string[] = [];
  const path = (setting: Setting) => join(procSys, SETTINGS[setting]);
  for (const directory of [root, join(procSys, "kernel"), join(procSys, "fs")])
    mkdirSync(directory, { recursive: true, mode: 0o755 });
  if (systemd) mkdirSync(join(root, "run/systemd/system"), { recursive: true });
  const host: FakeHost = {
    root,
    procSys,
    kernelRelease: "6.18.1",
    ran,
    run: (program, args) => {
      if (program.startsWith("/")) return spawnSync(join(root, program), args, { encoding: "utf8" });
      ran.push([program, ...args].join(" "));
      return spawnSync("true", { encoding: "utf8" });
    },
    get: (setting) => readFileSync(path(setting), "utf8").trimEnd(),
    set: (setting, value) => writeFileSync(path(setting), `${value}\n`),
    write: (name, text, mode = 0o644) => {
      mkdirSync(join(root, name, ".."), { recursive: true });
      writeFileSync(join(root, name), text, { mode });
    },
    read: (name) => readFileSync(join(root, name), "utf8"),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
  host.set("pattern", pattern);
  host.set("pipeLimit", "0");
  host.set("suidDumpable", "0");
  return host;
}

/** A program in the host's /src that answers to --version; @returns its path as this process sees it */
export function program(host: FakeHost, version = "1.0.0", libraries: readonly string[] = ["liba.so"]): string {
  rmSync(join(host.root, "src"), { recursive: true, force: true });
  host.write("/src/coredump-detector", `#!/bin/sh\necho ${version}\n`, 0o755);
  for (const name of libraries) host.write(`/src/lib/${name}`, `${name} of ${version}`);
  return join(host.root, "src/coredump-detector");
}
