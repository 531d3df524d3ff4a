/** Dumps that want a step: each by one worker at a time, failures later and later, and any of them at once when something happened. */
import { backoffMs } from "../../kube/backoff.ts";

/** @returns in how many milliseconds the dump is to come again by itself; undefined: when something happens to it */
type Work = (id: string, signal: AbortSignal) => Promise<number | undefined>;

interface Job {
  timer: NodeJS.Timeout | undefined;
  failures: number;
  running: AbortController | undefined;
  /** Asked for while it was being worked on. */
  again: boolean;
}

/** How a queue ends: first it takes nothing more, then it tells those at work to leave things as they are. */
export interface Ending {
  readonly stop: AbortSignal;
  readonly park: AbortSignal;
}

const MOST_MS = 300_000;

export class AgentQueue {
  readonly #work: Work;
  readonly #failed: (id: string, error: unknown, againMs: number) => void;
  readonly #atOnce: number;
  readonly #stop: AbortSignal;
  readonly #park: AbortSignal;
  readonly #jobs = new Map<string, Job>();
  readonly #ready: string[] = [];
  readonly #running = new Set<Promise<void>>();

  constructor(
    atOnce: number,
    work: Work,
    failed: (id: string, error: unknown, againMs: number) => void,
    { stop, park }: Ending,
  ) {
    this.#atOnce = atOnce;
    this.#work = work;
    this.#failed = failed;
    this.#stop = stop;
    this.#park = park;
    stop.addEventListener("abort", () => this.#clear(), { once: true });
  }

  get depth(): number {
    return this.#jobs.size;
  }

  ids(): string[] {
    return [...this.#jobs.keys()];
  }

  /** Now, however long it was to wait. */
  add(id: string): void {
    if (this.#stop.aborted) return;
    const job = this.#jobOf(id);
    if (job.running) job.again = true;
    else this.#in(job, id, 0);
  }

  /** Unless it is waiting for its next try already. */
  offer(id: string): void {
    if (!this.#jobs.has(id)) this.add(id);
  }

  /** All that wait for their next try: what stood in their way may be gone. */
  hasten(): void {
    for (const [id, job] of this.#jobs) if (!job.running) this.#in(job, id, 0);
  }

  /** What is being done to this dump is of no use any more; it comes again at once. */
  interrupt(id: string, why: Error): void {
    const job = this.#jobs.get(id);
    if (job?.running) job.running.abort(why);
    this.add(id);
  }

  /** Ends when the work at hand does. Call it when `stop` has aborted, or when nothing is added any more. */
  async ended(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #jobOf(id: string): Job {
    const job = this.#jobs.get(id) ?? { timer: undefined, failures: 0, running: undefined, again: false };
    this.#jobs.set(id, job);
    return job;
  }

  #in(job: Job, id: string, afterMs: number): void {
    clearTimeout(job.timer);
    job.timer = setTimeout(() => {
      if (!this.#ready.includes(id)) this.#ready.push(id);
      this.#next();
    }, afterMs);
  }

  #next(): void {
    while (!this.#stop.aborted && this.#running.size < this.#atOnce) {
      const id = this.#ready.shift();
      if (id === undefined) return;
      const run = this.#run(id, this.#jobOf(id)).finally(() => {
        this.#running.delete(run);
        this.#next();
      });
      this.#running.add(run);
    }
  }

  async #run(id: string, job: Job): Promise<void> {
    job.running = new AbortController();
    job.again = false;
    let againMs: number | undefined;
    try {
      againMs = await this.#work(id, AbortSignal.any([this.#park, job.running.signal]));
      job.failures = 0;
    } catch (error) {
      const interrupted = job.running.signal.aborted;
      againMs = interrupted ? 0 : backoffMs(2 + job.failures++, MOST_MS);
      if (!this.#stop.aborted && !interrupted) this.#failed(id, error, againMs);
    }
    job.running = undefined;
    if (this.#stop.aborted) return;
    if (job.again) againMs = 0;
    if (againMs === undefined) this.#jobs.delete(id);
    else this.#in(job, id, againMs);
  }

  #clear(): void {
    for (const { timer } of this.#jobs.values()) clearTimeout(timer);
    this.#ready.length = 0;
  }
}
