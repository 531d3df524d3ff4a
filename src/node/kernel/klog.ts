/**
 * The kernel's log by syslog(2), where there is no /dev/kmsg: a container's device rules keep the device from it even where
 * the node's /dev is mounted, but not the call, which takes CAP_SYSLOG. Its lines have no numbers: their times tell them apart.
 */
import { textOf } from "../../domain/text.ts";
import { lastOfKernelLog } from "../../system/ffi.ts";
import { bootTimeMs, isSuppression, type KernelLog, type KernelRefusal, refusalIn } from "./kmsg.ts";

/** Of a log that is larger its end is read: what came before that was lost between two looks. */
const MOST_BYTES = 1 << 18;
/** `<prio>[seconds.micros][caller] text`: seconds are padded; the caller is there with CONFIG_PRINTK_CALLER. */
const LINE = /^<(\d{1,10})>\[ {0,12}(\d{1,10})\.(\d{6})\](?:\[ *[TC]\d+\])? (.*)$/s;

/** The log as it grows: each read gives what has come since the last one; the first all that there is. */
export class SystemLog {
  readonly #read: (buffer: Buffer) => number;
  readonly #buffer = Buffer.alloc(MOST_BYTES);
  #lastUsec = -1;

  /** @param read  as `lastOfKernelLog()`; @throws its errors, at once: EPERM without the right, ENOSYS where it cannot be called */
  constructor(read: (buffer: Buffer) => number = lastOfKernelLog) {
    this.#read = read;
    read(Buffer.alloc(1));
  }

  read(): KernelLog {
    const bytes = this.#buffer.subarray(0, this.#read(this.#buffer));
    const found = newerIn(bytes, this.#lastUsec, bootTimeMs());
    this.#lastUsec = Math.max(this.#lastUsec, found.lastUsec);
    return found;
  }
}

/** @param afterUsec  lines of that time and before are known; -1: none is */
export function newerIn(log: Buffer, afterUsec: number, bootMs: number): KernelLog & { readonly lastUsec: number } {
  const refusals: KernelRefusal[] = [];
  let [incomplete, lastUsec, isFirst] = [false, -1, true];
  for (const line of log.toString("latin1").split("\n")) {
    const [, prio, seconds, micros, text = ""] = LINE.exec(line) ?? [];
    if (prio === undefined) continue; // the first one may be cut, or times are switched off (printk.time)
    const uptimeUsec = Number(seconds) * 1_000_000 + Number(micros);
    if (isFirst && afterUsec >= 0 && uptimeUsec > afterUsec) incomplete = true; // there was more in between
    isFirst = false;
    lastUsec = Math.max(lastUsec, uptimeUsec);
    if (uptimeUsec <= afterUsec) continue;
    const words = textOf(Buffer.from(text, "latin1"));
    const refusal = refusalIn({ seq: null, prio: Number(prio), uptimeUsec, text: words }, bootMs);
    if (refusal) refusals.push(refusal);
    else incomplete ||= isSuppression(words);
  }
  return { refusals, incomplete, lastUsec };
}
