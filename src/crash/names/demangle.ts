/** Names as programmers wrote them. */

/** @param symbol as the linker knows it, perhaps with a version (`qsort@@GLIBC_2.2.5`) */
export function demangled(symbol: string): string {
  return symbol.replace(/(.)@@?[A-Za-z_][\w.]*$/, "$1");
}
