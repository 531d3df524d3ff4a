/** Uploads for tests of sinks: bytes from memory, and what was asked of them. */
import { createHash, randomBytes } from "node:crypto";
import type { Upload } from "../../src/store/ports/sink.ts";

export const FOREVER = new AbortController().signal;
const CHUNK_BYTES = 300_000; // no divisor of anybody's part
const KEY = "shop/5d0c8a3e-3c1c-4f0b-9b7f-0d8f5d0c8a3e/nginx/nginx-20261121T072103512Z-31605-";

export const randomKey = (): string => `${KEY}${randomBytes(6).toString("hex")}.tar.zst`;

export interface TestUpload extends Upload {
  noted: unknown;
  /** The offsets that attempts began at. */
  readonly asked: number[];
  /** The bytes that attempts took. */
  takenBytes: number;
  /** Runs before each chunk: may throw, wait, look. */
  before: (atBytes: number) => void | Promise<void>;
}

/** Like upload.json, notes survive as JSON. */
export function testUpload(content: Buffer, { key = randomKey() } = {}): TestUpload {
  const fingerprint = createHash("sha256").update(content).digest("hex");
  const upload: TestUpload = {
    key,
    fingerprint,
    maxBytes: content.length,
    metadata: { "coredump-id": "019e0000-0000-7000-8000-000000000007" },
    noted: undefined,
    asked: [],
    takenBytes: 0,
    before: () => undefined,
    note: (what) => {
      upload.noted = what === undefined ? undefined : JSON.parse(JSON.stringify(what));
    },
    async *bytes(fromBytes, signal) {
      upload.asked.push(fromBytes);
      for (let at = fromBytes; at < content.length; at += CHUNK_BYTES) {
        await upload.before(at);
        signal.throwIfAborted();
        const chunk = content.subarray(at, at + CHUNK_BYTES);
        upload.takenBytes += chunk.length;
        yield Buffer.from(chunk);
      }
    },
  };
  return upload;
}
