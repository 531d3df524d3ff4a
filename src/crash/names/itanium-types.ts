/** Types of the Itanium C++ ABI's names (itanium-cxx-abi.github.io/cxx-abi/abi.html, 5.1.5), as C++ writes them. */
import { Mangled, NotMangled } from "./mangled.ts";

/** A type around a declarator: `void (*` and `)(int)`. */
interface TypeText {
  readonly left: string;
  readonly right: string;
}

/** An argument of a template; a pack has several. */
export type TemplateArgument = TypeText | readonly TypeText[];

const BUILTIN: Readonly<Record<string, string>> = {
  v: "void", w: "wchar_t", b: "bool", c: "char", a: "signed char", h: "unsigned char", s: "short", t: "unsigned short", i: "int",
  j: "unsigned int", l: "long", m: "unsigned long", x: "long long", y: "unsigned long long", n: "__int128", o: "unsigned __int128",
  f: "float", d: "double", e: "long double", g: "__float128", z: "...",
}; // biome-ignore format: a table
const BUILTIN_D: Readonly<Record<string, string>> = {
  Da: "auto", Dc: "decltype(auto)", Dn: "decltype(nullptr)", Di: "char32_t", Ds: "char16_t", Du: "char8_t", Dh: "half",
  Dd: "decimal64",
  De: "decimal128",
  Df: "decimal32",
}; // biome-ignore format: a table
const QUALIFIER: Readonly<Record<string, string>> = { r: " restrict", V: " volatile", K: " const" };
const REFERENCE: Readonly<Record<string, string>> = { P: "*", R: "&", O: "&&", C: " _Complex", G: " _Imaginary" };
const MAX_PACK = 16;

export const plain = (left: string): TypeText => ({ left, right: "" });
export const textOf = ({ left, right }: TypeText): string => left + right;
export const listOf = (types: readonly TypeText[]): string =>
  types
    .map(textOf)
    .filter((text) => text !== "")
    .join(", ");

export abstract class ItaniumTypes extends Mangled {
  readonly substitutions: TypeText[] = [];
  /** Of the innermost template that was named: what T_ refers to. */
  args: readonly TemplateArgument[] = [];
  /** T_ in a lambda's parameters is `auto`. */
  inLambda = false;
  /** Which of a pack is meant, while it is expanded. */
  #pack: number | undefined;
  #packSize = 0;

  abstract name(): string;
  abstract templateArgs(): readonly TemplateArgument[];
  abstract expression(): string;

  remember(type: TypeText): TypeText {
    this.bounded(textOf(type));
    this.substitutions.push(type);
    return type;
  }

  type(): TypeText {
    return this.within(() => this.#type());
  }

  #type(): TypeText {
    const letter = this.next;
    if (letter in BUILTIN) return plain(BUILTIN[this.take()] ?? "");
    if (letter in QUALIFIER) return this.#qualified();
    if (letter in REFERENCE) return this.remember(pointing(REFERENCE[this.take()] ?? "", this.type()));
    if (letter === "F") return this.remember(this.#functionType());
    if (letter === "A") return this.remember(this.#array());
    if (letter === "M") return this.remember(this.#member());
    if (letter === "T" && !/^T[sue]/.test(this.peek(2))) return this.#parameterType();
    if (letter === "D") return this.#d();
    if (letter === "S" && this.peek(2) !== "St") return this.#substituted();
    if (letter === "u") return this.remember(plain(this.#vendor()));
    if (letter === "U") return this.remember(this.#vendorQualified());
    return this.remember(plain(this.#named()));
  }

  /** T_ in what follows is the function's, not this type's. */
  #named(): string {
    const { args } = this;
    const name = this.name();
    this.args = args;
    return name;
  }

  #qualified(): TypeText {
    let words = "";
    while (this.next in QUALIFIER) words = (QUALIFIER[this.take()] ?? "") + words;
    const inner = this.type();
    if (inner.right.startsWith("["))
      return this.remember({ left: `${inner.left.trimEnd()}${words} `, right: inner.right });
    if (inner.right.startsWith("(")) return this.remember({ left: inner.left, right: inner.right + words });
    return this.remember({ left: inner.left + words, right: inner.right });
  }

  #vendor(): string {
    this.take();
    return this.take(this.digits());
  }

  #vendorQualified(): TypeText {
    const word = this.#vendor();
    if (this.next === "I") this.templateArgs();
    const inner = this.type();
    return { left: `${inner.left} ${word}`, right: inner.right };
  }

  #functionType(): TypeText {
    this.expect("F");
    this.skip("Y");
    const result = this.type();
    const parameters = this.parameters();
    const reference = this.skip("R") ? " &" : this.skip("O") ? " &&" : "";
    this.expect("E");
    return { left: `${result.left} `, right: `(${parameters})${reference}${result.right}` };
  }

  /** Types up to what ends them; a single void is none. */
  parameters(): string {
    const types: TypeText[] = [];
    while (!this.ended && this.next !== "E" && this.next !== "." && !/^[RO]E/.test(this.peek(2))) {
      types.push(this.type());
      this.bounded(listOf(types));
    }
    const text = listOf(types);
    return text === "void" ? "" : text;
  }

  #array(): TypeText {
    this.expect("A");
    const size = this.next === "_" ? "" : /\d/.test(this.next) ? `${this.digits()}` : this.expression();
    this.expect("_");
    const inner = this.type();
    return { left: `${inner.left} `, right: `[${size}]${inner.right}` };
  }

  #member(): TypeText {
    this.expect("M");
    const owner = textOf(this.type());
    return pointing(`${owner}::*`, this.type());
  }

  #parameterType(): TypeText {
    const parameter = this.remember(this.parameter());
    if (this.next !== "I") return parameter;
    return this.remember(plain(`${textOf(parameter)}<${argumentsText(this.templateArgs())}>`));
  }

  /** T_, T0_, … */
  parameter(): TypeText {
    this.expect("T");
    const index = this.next === "_" ? 0 : this.base36() + 1;
    this.expect("_");
    const argument = this.args[index];
    if (argument === undefined || this.inLambda) return plain("auto");
    if (!("length" in argument)) return argument;
    this.#packSize = Math.max(this.#packSize, argument.length);
    return this.#pack === undefined ? plain(listOf(argument)) : (argument[this.#pack] ?? plain(""));
  }

  base36(): number {
    const from = this.at;
    while (/[0-9A-Z]/.test(this.next) && this.at - from < 6) this.at++;
    const value = Number.parseInt(this.text.slice(from, this.at), 36);
    if (Number.isNaN(value)) throw new NotMangled();
    return value;
  }

  #d(): TypeText {
    const two = this.peek(2);
    if (two in BUILTIN_D) return plain(BUILTIN_D[this.take(2)] ?? "");
    if (two === "Dp") return this.#expanded();
    if (two === "Dt" || two === "DT") return this.remember(this.#decltype());
    if (two === "Dv") return this.remember(this.#vector());
    if (two === "Do") {
      this.take(2);
      return this.type();
    }
    if (two === "DF") {
      this.take(2);
      const bits = this.digits();
      if (this.skip("b")) return plain("std::bfloat16_t");
      if (!this.skip("_")) this.skip("x");
      return plain(`_Float${bits}`);
    }
    return this.remember(plain(this.#named()));
  }

  #decltype(): TypeText {
    this.take(2);
    const text = this.expression();
    this.expect("E");
    return plain(`decltype (${text})`);
  }

  #vector(): TypeText {
    this.take(2);
    const size = /\d/.test(this.next) ? `${this.digits()}` : this.expression();
    this.expect("_");
    return plain(`${textOf(this.type())} __vector(${size})`);
  }

  /** A pattern once for each of its pack; what it adds to the substitutions counts once. */
  #expanded(): TypeText {
    this.take(2);
    const [from, outer, known] = [this.at, this.#pack, this.substitutions.length];
    this.#packSize = -1; // no pack was met
    this.#pack = 0;
    const types = [this.type()];
    const count = Math.min(this.#packSize, MAX_PACK);
    if (count === 0) types.pop();
    for (let i = 1; i < count; i++) {
      [this.at, this.substitutions.length] = [from, known];
      this.#pack = i;
      types.push(this.type());
    }
    this.#pack = outer;
    return plain(this.bounded(listOf(types)));
  }

  #substituted(): TypeText {
    const base = this.substitution();
    if (this.next !== "I") return base;
    return this.remember(plain(`${textOf(base)}<${argumentsText(this.templateArgs())}>`));
  }

  /** S_, S0_, …, and the library's abbreviations. */
  substitution(): TypeText {
    this.expect("S");
    const known = ABBREVIATED[this.next];
    if (known) {
      this.take();
      return plain(known);
    }
    const index = this.next === "_" ? 0 : this.base36() + 1;
    this.expect("_");
    const found = this.substitutions[index];
    if (!found) throw new NotMangled();
    return found;
  }
}

const ABBREVIATED: Readonly<Record<string, string>> = {
  a: "std::allocator",
  b: "std::basic_string",
  s: "std::string",
  i: "std::istream",
  o: "std::ostream",
  d: "std::iostream",
};

export function argumentsText(args: readonly TemplateArgument[]): string {
  const text = listOf(args.flatMap((each) => ("length" in each ? [...each] : [each])));
  return text.endsWith(">") ? `${text} ` : text;
}

/** Around a function or an array the star needs parentheses. */
function pointing(mark: string, inner: TypeText): TypeText {
  if (/[*&]$/.test(inner.left) && /^&+$/.test(mark) && inner.left.endsWith("&")) return inner; // references collapse
  if (inner.left.endsWith(" ") && /^[([]/.test(inner.right))
    return { left: `${inner.left}(${mark}`, right: `)${inner.right.startsWith("[") ? " " : ""}${inner.right}` };
  return { left: inner.left + (/^\w/.test(mark) ? ` ${mark}` : mark), right: inner.right };
}
