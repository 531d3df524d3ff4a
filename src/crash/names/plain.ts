/**
 * Names as a fingerprint takes them: what changes from build to build is taken off. "Plain" names have neither arguments nor template
 * arguments nor a compiler's numbers.
 */
import type { CrashFrame } from "../../domain/crash.ts";

/** What compilers append to copies that they made of a function. */
const COPIES =
  /(\.(constprop|isra|part|cold|llvm|lto_priv|localalias|clone|specialized)(\.\d+)*|\.\d+| \[clone[^\]]*\])+$/;
/** rustc's hash of a legacy name. */
const RUST_HASH = /::h[0-9a-f]{16}$/;
/** Disambiguators of crates: `core[8a7f3b21]::`. */
const CRATE_ID = /\[[0-9a-f]{4,16}\]/g;
const NUMBERED = /(\{?lambda|closure|\{\{closure\}\}|func|gowrap|deferwrap)[#\d]+/g;

/** Python's names have neither arguments nor a compiler's numbers; their `<locals>` would be taken for template arguments. */
export const plainOf = (name: string, kind: CrashFrame["kind"]): string => (kind === "python" ? name : plainName(name));

export function plainName(name: string): string {
  let plain = name.replace(COPIES, "").replace(RUST_HASH, "").replace(CRATE_ID, "");
  plain = plain
    .replace(/\b(\{lambda\()[^{}]*\)#\d+\}/g, "{lambda}")
    .replace(/\{\{closure\}\}|\{closure[^{}]*\}/g, "{closure}");
  plain = unbracketed(withoutArguments(plain));
  return (
    plain
      .replace(NUMBERED, "$1")
      .replace(/\{(lambda)[^{}]*\}/g, "{$1}")
      .trim() || name
  );
}

/** `f(int)::{lambda(char)#1}::operator()(char) const` → `f::{lambda}::operator()`; `(anonymous namespace)` and Go's `(*T)` stay. */
function withoutArguments(name: string): string {
  const kept = name.replaceAll("(anonymous namespace)", "\u0001").replaceAll("operator()", "\u0002");
  let [out, depth] = ["", 0];
  for (let i = 0; i < kept.length; i++) {
    const letter = kept[i] ?? "";
    const isPointer = depth === 0 && kept.startsWith(".(*", i - 1);
    if (isPointer) {
      const end = kept.indexOf(")", i);
      out += kept.slice(i, end < 0 ? undefined : end + 1);
      i = end < 0 ? kept.length : end;
    } else if (letter === "(" && (i > 0 || depth > 0)) depth++;
    else if (letter === ")" && depth > 0) depth--;
    else if (depth === 0) out += letter;
  }
  return out
    .replace(/ (const|volatile|&&?)(?=::|$)/g, "")
    .replaceAll("\u0001", "(anonymous)")
    .replaceAll("\u0002", "operator()");
}

/** Without what lies between < and >, and between [ and ] in Go; `operator<` and Rust's `<T as U>::f` stay. */
function unbracketed(name: string): string {
  if (/\boperator[<>]|operator->/.test(name)) return name;
  if (name.startsWith("<")) {
    const end = closing(name);
    const isTrait = name.slice(1, end).includes(" as ");
    if (end > 0 && !isTrait) return unbracketed(name.slice(1, end)) + unbracketed(name.slice(end + 1)); // as the older mangling had it
    if (end > 0) return `<${unbracketed(name.slice(1, end))}>${unbracketed(name.slice(end + 1))}`;
  }
  let [out, depth] = ["", 0];
  for (let i = 0; i < name.length; i++) {
    const letter = name[i] ?? "";
    if (letter === "<" || letter === "[") depth++;
    else if ((letter === ">" && name[i - 1] !== "-") || letter === "]") depth = Math.max(0, depth - 1);
    else if (depth === 0) out += letter;
  }
  return out.replace(/::$/, "").replace(/::(?=::)/g, "");
}

/** Where the bracket that a name begins with is closed; -1: nowhere. */
function closing(name: string): number {
  let depth = 0;
  for (let i = 0; i < name.length; i++) {
    if (name[i] === "<") depth++;
    else if (name[i] === ">" && name[i - 1] !== "-" && --depth === 0) return i;
  }
  return -1;
}
