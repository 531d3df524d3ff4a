/** The same bytes, when the first of them is there: what cannot be read at all is an answer of its own. @throws as they do */
export async function begun(bytes: AsyncIterable<Buffer>): Promise<AsyncIterable<Buffer>> {
  const rest = bytes[Symbol.asyncIterator]();
  let first: IteratorResult<Buffer> | undefined = await rest.next();
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        const next = first === undefined ? rest.next() : Promise.resolve(first);
        first = undefined;
        return next;
      },
      return: () => rest.return?.() ?? Promise.resolve({ done: true, value: undefined }),
    }),
  };
}
