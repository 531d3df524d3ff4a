/** Wakes all who wait. To look first and then wait, in one turn of the event loop, misses nothing. */
export class Bell {
  readonly #waiting = new Set<() => void>();

  ring(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Ends with the next ring, or when the time is over. @throws the signal's reason */
  async heard(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve: wake } = Promise.withResolvers<void>();
    const timer = setTimeout(wake, Math.max(ms, 0));
    const abort = () => wake();
    signal.addEventListener("abort", abort);
    this.#waiting.add(wake);
    await promise;
    clearTimeout(timer);
    this.#waiting.delete(wake);
    signal.removeEventListener("abort", abort);
    signal.throwIfAborted();
  }
}
