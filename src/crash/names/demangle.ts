/** Names as programmers wrote them. */
import { demangleCpp } from "./itanium.ts";
import { demangleRust } from "./rust.ts";

const MAX_SYMBOL = 4096;

/** @param symbol as the linker knows it, perhaps with a version (`qsort@@GLIBC_2.2.5`) */
export function demangled(symbol: string): string {
  if (symbol.length > MAX_SYMBOL) return symbol;
  const bare = symbol.replace(/(.)@@?[A-Za-z_][\w.]*$/, "$1");
  return demangleRust(bare) ?? demangleCpp(bare) ?? bare;
}
