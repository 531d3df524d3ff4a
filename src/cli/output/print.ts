/** Writing to stdout and stderr. */
import { DumpError, errnoOf } from "../../domain/failures.ts";

/**
 * Writes to stdout and waits until it is out, so that a slow reader slows us down.
 * @throws DumpError OUTPUT_CLOSED when the reader has gone (`list | head -1`)
 */
export function print(output: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(output, (error) => (error ? reject(outputError(error)) : resolve()));
  });
}

/** For people only: progress, warnings, what was done. Nothing parses it, so nothing fails when it cannot be written. */
export const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

const outputError = (cause: Error): Error =>
  errnoOf(cause) === "EPIPE" ? new DumpError("OUTPUT_CLOSED", "Cannot write: the reader has gone", { cause }) : cause;
