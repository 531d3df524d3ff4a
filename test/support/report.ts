/** The report of a test run: a line a file, failures in full, skips with their reason, and the count. */
import { relative } from "node:path";
import { inspect, styleText } from "node:util";
import type { Outcome } from "./command.ts";
import { ROOT } from "./paths.ts";

/** An event of node:test's `run()`, as far as it is used here. */
interface TestEvent {
  readonly type: string;
  readonly data?: {
    readonly name?: string;
    readonly file?: string;
    /** The file that was run; `file` may be a suite that it shares with others. */
    readonly entryFile?: string;
    readonly message?: string;
    readonly skip?: string | boolean;
    readonly todo?: string | boolean;
    readonly details?: { duration_ms: number; type?: string; error?: Error & { failureType?: string } };
  };
}

class FileReport {
  passed = 0;
  failed = 0;
  readonly skips: string[] = [];
  readonly failures: string[] = [];
  output = "";
  durationMs = 0;

  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  add({ type, data }: TestEvent): void {
    if (type === "test:stdout" || type === "test:stderr") this.output += data?.message ?? "";
    if (type !== "test:pass" && type !== "test:fail") return;
    const { type: kind, error } = data?.details ?? {};
    if (kind === "suite" && !data?.skip && error?.failureType !== "hookFailed") return; // its tests count
    const isFile = data?.name === this.path;
    if (data?.skip || data?.todo) this.skips.push(`${data.name}: ${data.skip || data.todo}`);
    else if (type === "test:fail") this.#fail(isFile ? "the file" : (data?.name ?? ""), error);
    else if (!isFile) this.passed += 1; // a file "passes" when no test ran in it
    this.durationMs += data?.details?.duration_ms ?? 0;
  }

  #fail(name: string, error?: Error & { failureType?: string }): void {
    this.failed += 1;
    if (error?.failureType !== "subtestsFailed")
      this.failures.push(`${name}\n${indent(inspect(error?.cause ?? error))}`);
  }
}

export class Report {
  passed = 0;
  failed = 0;
  skipped = 0;

  /** Runs one check that is no test file: tsc, the linter. It resolves to its problem, or undefined. */
  async check(name: string, work: () => Promise<string | undefined>): Promise<void> {
    const start = performance.now();
    const problem = await work().catch((error: unknown) => inspect(error));
    if (problem === undefined) this.passed += 1;
    else this.failed += 1;
    line(problem === undefined, name, "", performance.now() - start);
    if (problem !== undefined) console.log(indent(problem));
  }

  /** Follows a run of `files`; one in which no test ran has failed. Events come in the order of the files. */
  async follow(files: readonly string[], events: AsyncIterable<TestEvent>): Promise<void> {
    const waiting = new Map(files.map((file) => [file, new FileReport(file)]));
    let current: FileReport | undefined;
    for await (const event of events) {
      if (!["test:pass", "test:fail", "test:stdout", "test:stderr"].includes(event.type)) continue;
      const report = waiting.get(event.data?.entryFile ?? event.data?.file ?? "");
      if (current && report !== current && waiting.delete(current.path)) this.#file(current);
      report?.add(event);
      current = report;
    }
    for (const report of waiting.values()) this.#file(report);
  }

  /** Takes over a run of the tests elsewhere: what it printed, ending with its own summary. */
  nested(name: string, { output, end }: Outcome): void {
    const [, passed, failed, skipped] = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$/m.exec(output) ?? [];
    this.passed += Number(passed ?? 0);
    this.failed += Number(failed ?? 0) || (end === 0 && Number(passed ?? 0) > 0 ? 0 : 1);
    this.skipped += Number(skipped ?? 0);
    console.log(`${name}:\n${indent(output.trimEnd())}${end === 0 ? "" : `\n       ended with ${end}`}`);
  }

  /** The last line of all. */
  summary(): string {
    return `${this.passed} passed, ${this.failed} failed${this.skipped > 0 ? `, ${this.skipped} skipped` : ""}`;
  }

  #file(report: FileReport): void {
    if (report.passed + report.failed + report.skips.length === 0) {
      report.failed = 1;
      report.failures.push("no test ran in this file");
    }
    this.passed += report.passed;
    this.failed += report.failed;
    this.skipped += report.skips.length;
    line(report.failed === 0, relative(ROOT, report.path), `${report.passed} passed`, report.durationMs);
    for (const skip of report.skips) console.log(indent(`skipped ${skip}`));
    for (const failure of report.failures) console.log(indent(failure));
    if (report.failed > 0 && report.output !== "") console.log(indent(`output:\n${indent(report.output.trimEnd())}`));
  }
}

function line(ok: boolean, name: string, detail: string, durationMs: number): void {
  const mark = ok ? styleText("green", "ok    ") : styleText("red", "FAILED");
  console.log(`${mark} ${name.padEnd(48)} ${detail.padStart(11)} ${(durationMs / 1000).toFixed(1).padStart(7)} s`);
}

const indent = (text: string): string => text.replace(/^/gm, "       ");
