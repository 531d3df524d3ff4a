/**
 * Gives a buffer's memory back at once, not when it is collected. Small buffers share theirs: those are left alone.
 * @param spareBytes  by which the memory may be larger than the buffer
 */
export function free({ buffer, byteLength }: Buffer, spareBytes = 0): void {
  if (byteLength > 0 && buffer.byteLength - byteLength <= spareBytes) (buffer as ArrayBuffer).transfer(0);
}
