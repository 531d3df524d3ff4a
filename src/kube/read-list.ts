/** The items of a list, one by one while it comes in: a list of ten thousand objects never stands in memory as a whole. */

const [QUOTE, BACKSLASH, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = [...'"\\{}[]'].map((each) => each.charCodeAt(0));
/** Stands in the head for each item that was taken out of it. */
const TAKEN = Buffer.from("null");

interface ListHead {
  readonly metadata?: { readonly resourceVersion?: string };
}

/**
 * @param body  JSON of a list: `{"kind": …, "metadata": {…}, "items": [{…}, …]}`, its keys in any order
 * @param onItem  gets each of the items, parsed
 * @returns the rest, parsed
 * @throws SyntaxError when it is not JSON, or ends early
 */
export async function readList(body: AsyncIterable<Buffer>, onItem: (item: unknown) => void): Promise<ListHead> {
  const scanner = new Scanner(onItem);
  for await (const chunk of body) scanner.push(chunk);
  return JSON.parse(scanner.head()) as ListHead;
}

/** Takes out the objects that are directly in a list that is directly in the outermost object: only `items` is such a list. */
class Scanner {
  readonly #onItem: (item: unknown) => void;
  readonly #head: Buffer[] = [];
  readonly #item: Buffer[] = [];
  #depth = 0;
  #inString = false;
  #escaped = false;
  #inList = false;
  #inItem = false;

  constructor(onItem: (item: unknown) => void) {
    this.#onItem = onItem;
  }

  head(): string {
    return Buffer.concat(this.#head).toString();
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
      } else if (byte === QUOTE) this.#inString = true;
      else if (byte === OPEN || byte === OPEN_LIST) {
        if (++this.#depth === 2) this.#inList = byte === OPEN_LIST;
        if (!this.#inList || this.#depth !== 3 || byte !== OPEN) continue;
        this.#head.push(chunk.subarray(from, at), TAKEN);
        this.#inItem = true;
        from = at;
      } else if (byte === CLOSE || byte === CLOSE_LIST) {
        if (--this.#depth !== 2 || !this.#inItem) continue;
        this.#item.push(chunk.subarray(from, at + 1));
        this.#inItem = false;
        from = at + 1;
        this.#onItem(JSON.parse(Buffer.concat(this.#item.splice(0)).toString()));
      }
    }
    (this.#inItem ? this.#item : this.#head).push(chunk.subarray(from));
  }
}
