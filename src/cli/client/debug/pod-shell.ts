/** kubectl, for what only it does well: a terminal, or a stream of bytes, in a container. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { DumpError } from "../../../domain/failures.ts";
import { CONTAINER, CORE } from "./pod.ts";
import { type Bounds, complaint, type Ended, isThere, run, runBounded } from "./tool.ts";

const KUBECTL = "kubectl";
/** Looked for before anything is copied: later its absence would be an exit code. */
const NEEDS = `for tool in gdb cat head od wc; do command -v "$tool" > /dev/null || { echo "lacks $tool" >&2; exit 127; }; done`;
/** Ours, or the container engine's words for a missing shell. */
const LACKS = /^lacks (\w+)$|"(sh)": executable file not found/m;

export class PodShell {
  readonly #access: readonly string[];
  readonly #pod: string;
  readonly #image: string;

  /**
   * @param access  flags that make kubectl the same user of the same namespace
   * @param image   the container's, for messages
   */
  constructor(access: readonly string[], pod: string, image: string) {
    this.#access = access;
    this.#pod = pod;
    this.#image = image;
  }

  /** kubectl's arguments for a command in the pod, with a terminal of its own. */
  terminal(command: readonly string[]): { readonly program: string; readonly args: readonly string[] } {
    return { program: KUBECTL, args: this.#args(["-i", "-t"], command) };
  }

  run(command: readonly string[], signal: AbortSignal): Promise<Ended> {
    return run(KUBECTL, this.#args([], command), signal);
  }

  /** The same, within bounds; what it leaves running there goes with the pod. */
  runBounded(command: readonly string[], bounds: Bounds, signal: AbortSignal): Promise<Ended> {
    return runBounded(KUBECTL, this.#args([], command), bounds, signal);
  }

  /** The first bytes of a file there; none when it is not there. */
  async head(path: string, bytes: number, signal: AbortSignal): Promise<Buffer> {
    const read = ["sh", "-c", 'head -c "$1" < "$0" | od -An -v -tx1', path, `${bytes}`];
    const { stdout } = await this.run(read, signal);
    return Buffer.from(stdout.replace(/\s+/g, ""), "hex");
  }

  /** Writes the core. @throws DumpError TOOL_MISSING when the image lacks a tool; when not all of it arrived */
  async putCore(chunks: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void> {
    const command = ["sh", "-c", `${NEEDS}; cat > "$0" && wc -c < "$0"`, CORE];
    const child = spawn(KUBECTL, this.#args(["-i"], command), { stdio: ["pipe", "pipe", "pipe"], signal });
    const ended = once(child, "close");
    const said = Promise.all([text(child.stdout), text(child.stderr), ended]);
    said.catch(() => undefined);
    child.stdin.on("error", () => undefined); // known by how it ends
    let sent = 0;
    for await (const chunk of chunks) {
      sent += chunk.length;
      const drained = child.stdin.write(chunk) || Promise.race([once(child.stdin, "drain"), ended]);
      await Promise.resolve(drained).catch(() => signal.throwIfAborted());
      if (child.exitCode !== null) break;
    }
    child.stdin.end();
    const [stdout, stderr, [exitCode]] = await said.catch((error) => {
      signal.throwIfAborted();
      throw error;
    });
    if (Number(stdout.trim()) === sent && exitCode === 0) return;
    const [, tool, shell = tool] = LACKS.exec(stderr) ?? [];
    if (shell !== undefined) throw lacking(this.#image, shell);
    throw new DumpError(
      "API_UNAVAILABLE",
      `Cannot write the core into the pod: ${complaint({ stdout, stderr, exitCode })}`,
    );
  }

  #args(how: readonly string[], command: readonly string[]): string[] {
    return [...this.#access, "exec", ...how, this.#pod, "--container", CONTAINER, "--", ...command];
  }
}

const lacking = (image: string, tool: string): DumpError =>
  new DumpError("TOOL_MISSING", `Cannot debug in the cluster: the image ${image} has no ${tool}`, {
    hint: "--gdb-image names another: it has gdb, sh, cat, head, od, wc and sleep",
  });

/** @throws DumpError TOOL_MISSING */
export function needKubectl(): void {
  if (isThere(KUBECTL)) return;
  throw new DumpError("TOOL_MISSING", "Cannot debug in the cluster: there is no kubectl", {
    hint: "Put it on the PATH",
  });
}
