/** What becomes true by itself, a moment later. */
import { setTimeout as sleep } from "node:timers/promises";

/** Does `work` again until it throws no more, for 30 s. @throws what it threw last */
export async function eventually<T>(work: () => T | Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (tries === 300) throw error;
    }
    await sleep(100);
  }
}
