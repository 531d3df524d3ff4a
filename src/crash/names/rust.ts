/**
 * Rust's names: the legacy mangling (`_ZN…17h<16 hex digits>E`), and v0 (RFC 2603). Hashes and the disambiguators of crates are left
 * out, because they change with every build.
 */
import { Mangled, NotMangled } from "./mangled.ts";

const ESCAPES: Readonly<Record<string, string>> = {
  SP: "@",
  BP: "*",
  RF: "&",
  LT: "<",
  GT: ">",
  LP: "(",
  RP: ")",
  C: ",",
};

/** @returns undefined where it is not a Rust name */
export function demangleRust(symbol: string): string | undefined {
  try {
    if (symbol.startsWith("_R")) return new V0(symbol).symbol();
    return /^_?_ZN.*17h[0-9a-f]{16}E/.test(symbol) ? legacy(symbol) : undefined;
  } catch (error) {
    if (error instanceof NotMangled) return undefined;
    throw error;
  }
}

function legacy(symbol: string): string {
  const name = new Mangled(symbol, symbol.indexOf("_ZN") + 3);
  const parts: string[] = [];
  while (!name.skip("E")) parts.push(name.within(() => name.take(name.digits())));
  parts.pop(); // the hash
  return name.bounded(parts.map(unescaped).join("::")) + symbol.slice(name.at).replace(/^\.llvm\.[0-9A-F]+/, "");
}

function unescaped(part: string): string {
  return part
    .replace(/^_(?=\$)/, "")
    .replace(/\$(u[0-9a-f]{1,6}|[A-Z]{1,2})\$/g, (all, code: string) =>
      code.startsWith("u") ? codePoint(Number.parseInt(code.slice(1), 16)) : (ESCAPES[code] ?? all),
    )
    .replace(/\.\./g, "::");
}

const codePoint = (code: number): string => (code <= 0x10ffff ? String.fromCodePoint(code) : "?");

const BASIC: Readonly<Record<string, string>> = {
  a: "i8", b: "bool", c: "char", d: "f64", e: "str", f: "f32", h: "u8", i: "isize", j: "usize", l: "i32", m: "u32", n: "i128", o: "u128",
  s: "i16", t: "u16", u: "()", v: "...", x: "i64", y: "u64", z: "!", p: "_",
}; // biome-ignore format: a table
const SIGNED = /[asxlni]/;

class V0 extends Mangled {
  constructor(symbol: string) {
    super(symbol.replace(/\..*$/, ""), 2);
  }

  symbol(): string {
    if (/\d/.test(this.next)) this.digits();
    return this.path(false);
  }

  /** @param inType `Vec<u8>` rather than `Vec::<u8>` */
  path(inType: boolean): string {
    return this.within(() => this.bounded(this.#path(inType)));
  }

  #path(inType: boolean): string {
    const tag = this.take();
    if (tag === "C") return this.#identifier().name;
    if (tag === "M") return this.#inherentImpl();
    if (tag === "X") return this.#traitImpl();
    if (tag === "Y") return `<${this.type()} as ${this.path(true)}>`;
    if (tag === "N") return this.#nested(inType);
    if (tag === "I") return this.#generic(inType);
    if (tag === "B") return this.#backref(() => this.path(inType));
    throw new NotMangled();
  }

  #inherentImpl(): string {
    this.#implPath();
    return `<${this.type()}>`;
  }

  #traitImpl(): string {
    this.#implPath();
    return `<${this.type()} as ${this.path(true)}>`;
  }

  #implPath(): void {
    this.#disambiguator();
    this.path(false);
  }

  #nested(inType: boolean): string {
    const namespace = this.take();
    const scope = this.path(inType);
    const { name, number } = this.#identifier();
    if (/[a-z]/.test(namespace)) return name === "" ? scope : `${scope}::${name}`;
    const kind = namespace === "C" ? "closure" : namespace === "S" ? "shim" : namespace;
    return `${scope}::{${kind}${name === "" ? "" : `:${name}`}#${number}}`;
  }

  #generic(inType: boolean): string {
    const path = this.path(inType);
    const args: string[] = [];
    while (!this.skip("E")) {
      const text = this.#argument();
      if (text !== undefined) args.push(text);
      this.bounded(args.join(", "));
    }
    if (args.length === 0) return path; // lifetimes alone
    return `${path}${inType ? "" : "::"}<${args.join(", ")}>`;
  }

  /** @returns undefined for a lifetime that has no name */
  #argument(): string | undefined {
    if (this.skip("L")) {
      this.#base62();
      return undefined;
    }
    return this.skip("K") ? this.constant() : this.type();
  }

  type(): string {
    return this.within(() => this.bounded(this.#type()));
  }

  #type(): string {
    const tag = this.next;
    if (tag in BASIC) return BASIC[this.take()] ?? "";
    if (!/[ASTRQPOFDBW]/.test(tag)) return this.path(true);
    this.take();
    if (tag === "A") return `[${this.type()}; ${this.constant()}]`;
    if (tag === "S") return `[${this.type()}]`;
    if (tag === "T") return this.#tuple();
    if (tag === "R" || tag === "Q") return this.#reference(tag === "R" ? "&" : "&mut ");
    if (tag === "P") return `*const ${this.type()}`;
    if (tag === "O") return `*mut ${this.type()}`;
    if (tag === "F") return this.#functionPointer();
    if (tag === "D") return this.#dyn();
    return this.#backref(() => this.type());
  }

  #tuple(): string {
    const types: string[] = [];
    while (!this.skip("E")) {
      types.push(this.type());
      this.bounded(types.join(", "));
    }
    return `(${types.join(", ")}${types.length === 1 ? "," : ""})`;
  }

  #reference(mark: string): string {
    if (this.skip("L")) this.#base62();
    return mark + this.type();
  }

  #functionPointer(): string {
    if (this.skip("G")) this.#base62();
    const isUnsafe = this.skip("U") ? "unsafe " : "";
    let abi = "";
    if (this.skip("K")) abi = `extern "${this.skip("C") ? "C" : this.#identifier().name.replaceAll("_", "-")}" `;
    const types: string[] = [];
    while (!this.skip("E")) {
      types.push(this.type());
      this.bounded(types.join(", "));
    }
    const result = this.skip("u") ? "" : ` -> ${this.type()}`;
    return `${isUnsafe}${abi}fn(${types.join(", ")})${result}`;
  }

  #dyn(): string {
    if (this.skip("G")) this.#base62();
    const traits: string[] = [];
    while (!this.skip("E")) {
      traits.push(this.#dynTrait());
      this.bounded(traits.join(" + "));
    }
    if (this.skip("L")) this.#base62();
    return `dyn ${traits.join(" + ")}`;
  }

  #dynTrait(): string {
    const path = this.path(true);
    const bindings: string[] = [];
    while (this.skip("p")) bindings.push(`${this.#identifier().name} = ${this.type()}`);
    if (bindings.length === 0) return path;
    const list = bindings.join(", ");
    return path.endsWith(">") ? `${path.slice(0, -1)}, ${list}>` : `${path}<${list}>`;
  }

  constant(): string {
    return this.within(() => {
      if (this.skip("p")) return "_";
      if (this.skip("B")) return this.#backref(() => this.constant());
      const type = this.take();
      const negative = this.skip("n") ? "-" : "";
      const from = this.at;
      while (/[0-9a-f]/.test(this.next)) this.at++;
      const digits = this.text.slice(from, this.at);
      this.expect("_");
      if (type === "b") return digits === "1" ? "true" : "false";
      if (type === "c") return `'${codePoint(Number.parseInt(digits || "0", 16))}'`;
      if (!(type in BASIC) || digits.length > 32) throw new NotMangled();
      return SIGNED.test(type) || digits !== "" ? `${negative}${BigInt(`0x${digits || "0"}`)}` : "0";
    });
  }

  #backref(parse: () => string): string {
    const tag = this.at - 1;
    const to = this.#base62() + 2;
    if (to >= tag) throw new NotMangled(); // only back: no circles
    const here = this.at;
    this.at = to;
    const text = parse();
    this.at = here;
    return text;
  }

  #disambiguator(): number {
    return this.skip("s") ? this.#base62() + 1 : 0;
  }

  #base62(): number {
    if (this.skip("_")) return 0;
    let value = 0;
    while (!this.skip("_")) {
      const digit = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".indexOf(this.take());
      if (digit < 0) throw new NotMangled();
      value = value * 62 + digit;
    }
    return value + 1;
  }

  #identifier(): { name: string; number: number } {
    const number = this.#disambiguator();
    const isPunycode = this.skip("u");
    const bytes = this.skip("0") ? 0 : this.digits();
    this.skip("_");
    const name = this.take(bytes);
    return { name: isPunycode ? `punycode{${name}}` : name, number };
  }
}
