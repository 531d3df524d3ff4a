/** Gives a buffer's memory back at once, not when it is collected. Small buffers share theirs: those are left alone. */
export function free({ buffer, byteLength }: Buffer): void {
  if (byteLength > 0 && byteLength === buffer.byteLength) (buffer as ArrayBuffer).transfer(0);
}
