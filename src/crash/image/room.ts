/** How much may be unpacked for all modules of a process together: each of a thousand could hold a bomb. */

const MAX_UNPACKED_BYTES = 32 << 20;

export class Room {
  #left = MAX_UNPACKED_BYTES;

  /**
   * @param unpack gets how many bytes may come out, at most `max`
   * @returns what it returned; that much less may come out later
   */
  unpacked(max: number, unpack: (max: number) => Uint8Array | undefined): Uint8Array | undefined {
    const bytes = unpack(Math.min(max, this.#left));
    this.#left -= bytes?.length ?? 0;
    return bytes;
  }
}
