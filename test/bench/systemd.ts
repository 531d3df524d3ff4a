/**
 * Debian's systemd-coredump as a handler, without systemd: the kernel runs it, it sends the core's pipe to its socket, and
 * there one of its own processes a crash keeps the core and writes the stack trace, as `systemd-coredump@.service` would.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdirSync, readFileSync, rmdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { type Handler, running, until } from "./handlers.ts";

/** Both places are built into the program. */
const SOCKET = "/run/systemd/coredump";
const CORES = "/var/lib/systemd/coredump";
const NO_LIMIT = 10 ** 12;
const LOADER = process.arch === "arm64" ? "/lib/ld-linux-aarch64.so.1" : "/lib64/ld-linux-x86-64.so.2";

/** @param unpacked  what systemd.sh made @param folder  short: the pattern holds 127 bytes */
export async function systemdCoredump(unpacked: string, folder: string): Promise<Handler & AsyncDisposable> {
  if (existsSync(SOCKET)) throw new Error(`Cannot serve ${SOCKET}: this machine's own systemd does`);
  mkdirSync(folder, { recursive: true });
  const [lib, program] = [join(folder, "l"), join(folder, "c")];
  symlinkSync(join(unpacked, "lib"), lib);
  symlinkSync(join(unpacked, "systemd-coredump"), program);
  const made = [CORES, "/run/systemd"].filter((path) => mkdirSync(path, { recursive: true }) !== undefined);
  const before = new Set(kept());
  const activate = ["--library-path", lib, join(unpacked, "systemd-socket-activate"), "--seqpacket", "--accept"];
  const server = spawn(LOADER, [...activate, "-l", SOCKET, "-E", `LD_LIBRARY_PATH=${lib}`, program], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  const ended = once(server, "exit");
  const cores = () => kept().filter((path) => !before.has(path));
  const clear = () => {
    for (const path of cores()) rmSync(path);
  };
  await until(() => existsSync(SOCKET) || server.exitCode !== null, "systemd-socket-activate does not listen");
  return {
    name: `systemd-coredump ${readFileSync(join(unpacked, "version"), "utf8").trim()}`,
    // Through the loader: the kernel's call has no environment to say where the libraries are.
    // No %c: engines set the limit to 0, and then it would keep nothing.
    pattern: `|${LOADER} --library-path ${lib} ${program} %P %u %g %s %t ${NO_LIMIT} %h`,
    async settle(crashes) {
      await until(() => !running(program) && cores().length >= crashes, "systemd-coredump is not done");
      if (cores().some((path) => statSync(path).size === 0)) throw new Error("Cannot measure: an empty core was kept");
    },
    clear,
    async [Symbol.asyncDispose]() {
      server.kill();
      await ended;
      clear();
      rmSync(SOCKET, { force: true });
      for (const path of made.reverse()) rmdirSync(path);
    },
  };
}

/** Finished ones: until then they have no name, or one that begins with a dot. */
const kept = (): string[] => globSync(join(CORES, "core.*"));
