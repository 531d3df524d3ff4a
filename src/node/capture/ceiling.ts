/**
 * The handler's own ceiling. It runs outside of the crashed container's limits, so a process must not choose how much
 * memory it takes. No RLIMIT and no cgroup: both end a V8 that reaches them, and with it the dump. Instead every input has a
 * bound (node/kernel/crashed-process.ts, node/kernel/head.ts), and the one that is large when it is parsed is given up where it
 * would not fit: without the list of mappings the core comes through the pipe, which takes no memory to speak of.
 */
export const CEILING_BYTES = 150 << 20;

/** Two buffers in flight, the core's head, and what V8 takes until it collects. */
const COPYING_BYTES = 24 << 20;
/** A short line parsed takes less than twice as much as the line. */
const PARSED = 2;
/** Of an ordinary process; it makes no difference to anybody's ceiling. */
const SMALL_BYTES = 256 << 10;

/** Whether a list of mappings of this length may be parsed. @param rssBytes  what the handler takes now, the list included */
export const mapsFit = (mapsBytes: number, rssBytes: number): boolean =>
  mapsBytes <= SMALL_BYTES || rssBytes + PARSED * mapsBytes + COPYING_BYTES <= CEILING_BYTES;
