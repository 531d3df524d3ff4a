/** Expressions in template arguments and decltype (Itanium C++ ABI, 5.1.6): enough of them to read past. */
import { ItaniumTypes, listOf, plain, type TemplateArgument, textOf } from "./itanium-types.ts";
import { NotMangled } from "./mangled.ts";

/** Operators by their code: how C++ writes them, and how many operands they take. */
export const OPERATORS: Readonly<Record<string, readonly [string, number]>> = {
  nw: [" new", 1], na: [" new[]", 1], dl: [" delete", 1], da: [" delete[]", 1], aw: [" co_await", 1], ps: ["+", 1], ng: ["-", 1],
  ad: ["&", 1], de: ["*", 1], co: ["~", 1], pl: ["+", 2], mi: ["-", 2], ml: ["*", 2], dv: ["/", 2], rm: ["%", 2], an: ["&", 2],
  or: ["|", 2], eo: ["^", 2], aS: ["=", 2], pL: ["+=", 2], mI: ["-=", 2], mL: ["*=", 2], dV: ["/=", 2], rM: ["%=", 2], aN: ["&=", 2],
  oR: ["|=", 2], eO: ["^=", 2], ls: ["<<", 2], rs: [">>", 2], lS: ["<<=", 2], rS: [">>=", 2], eq: ["==", 2], ne: ["!=", 2], lt: ["<", 2],
  gt: [">", 2], le: ["<=", 2], ge: [">=", 2], ss: ["<=>", 2], nt: ["!", 1], aa: ["&&", 2], oo: ["||", 2], pp: ["++", 1], mm: ["--", 1],
  cm: [",", 2], pm: ["->*", 2], pt: ["->", 2], cl: ["()", 2], ix: ["[]", 2], qu: ["?", 3],
}; // biome-ignore format: a table

const LITERAL_SUFFIX: Readonly<Record<string, string>> = { i: "", j: "u", l: "l", m: "ul", x: "ll", y: "ull" };

export abstract class ItaniumExpressions extends ItaniumTypes {
  abstract encoding(): string;

  templateArgs(): readonly TemplateArgument[] {
    return this.within(() => {
      this.expect("I");
      const args: TemplateArgument[] = [];
      while (!this.skip("E")) args.push(this.#argument());
      return args;
    });
  }

  #argument(): TemplateArgument {
    if (this.next === "L") return plain(this.#literal());
    if (this.skip("X")) {
      const text = this.expression();
      this.expect("E");
      return plain(text);
    }
    if (!this.skip("J")) return this.type();
    const pack = [];
    while (!this.skip("E")) {
      const one = this.within(() => this.#argument());
      pack.push("length" in one ? plain(listOf(one)) : one);
    }
    return pack;
  }

  #literal(): string {
    this.expect("L");
    if (this.skip("_Z")) {
      const text = this.encoding();
      this.expect("E");
      return text;
    }
    const code = this.next;
    const type = textOf(this.type());
    const negative = this.skip("n");
    const from = this.at;
    while (!this.ended && this.next !== "E") this.at++;
    const value = `${negative ? "-" : ""}${this.text.slice(from, this.at)}`;
    this.expect("E");
    if (code === "b") return value === "0" ? "false" : "true";
    const suffix = LITERAL_SUFFIX[code];
    return suffix === undefined ? `(${type})${value}` : value + suffix;
  }

  expression(): string {
    return this.within(() => this.bounded(this.#expression()));
  }

  #expression(): string {
    const two = this.peek(2);
    if (this.next === "L") return this.#literal();
    if (this.next === "T") return textOf(this.parameter());
    if (two === "fp" || two === "fL") return this.#functionParameter();
    if (two === "sr") return this.#scoped();
    if (["st", "ti", "at"].includes(two))
      return `${{ st: "sizeof", ti: "typeid", at: "alignof" }[this.take(2)]} (${textOf(this.type())})`;
    if (["sz", "te", "az", "nx"].includes(two))
      return `${{ sz: "sizeof", te: "typeid", az: "alignof", nx: "noexcept" }[this.take(2)]} (${this.expression()})`;
    if (two === "sZ") return `sizeof...(${this.past(2).#pack()})`;
    if (two === "sp") return `${this.past(2).expression()}...`;
    if (two === "cv") return this.#cast();
    if (["dc", "sc", "cc", "rc"].includes(two)) return `cast<${textOf(this.past(2).type())}>(${this.expression()})`;
    if (two === "cl") return this.#call();
    if (two === "tl") return `${textOf(this.past(2).type())}{${this.#until("E")}}`;
    if (two === "il") return `{${this.past(2).#until("E")}}`;
    if (two === "dt" || two === "pt") return this.#memberOf();
    if (two === "on" || /\d/.test(this.next)) return this.#unresolved();
    return this.#operation();
  }

  #pack(): string {
    return this.next === "T" ? textOf(this.parameter()) : this.#functionParameter();
  }

  #functionParameter(): string {
    if (this.skip("fL")) {
      this.digits();
      this.expect("p");
    } else this.expect("fp");
    if (this.skip("T")) return "this";
    while (/[rVK]/.test(this.next)) this.take();
    const number = this.next === "_" ? 1 : this.digits() + 2;
    this.expect("_");
    return `{parm#${number}}`;
  }

  #scoped(): string {
    this.take(2);
    if (this.skip("N")) {
      let scope = textOf(this.type());
      while (!this.skip("E")) scope = this.bounded(`${scope}::${this.#unresolved()}`);
      return `${scope}::${this.#unresolved()}`;
    }
    const scope = textOf(this.type());
    return `${scope}::${this.#unresolved()}`;
  }

  #unresolved(): string {
    const name = this.skip("on") ? this.#operatorName() : this.take(this.digits());
    return this.next === "I" ? `${name}<${listOf(this.templateArgs().flat() as never)}>` : name;
  }

  #operatorName(): string {
    const operator = OPERATORS[this.take(2)];
    if (!operator) throw new NotMangled();
    return `operator${operator[0]}`;
  }

  #cast(): string {
    this.take(2);
    const type = textOf(this.type());
    return this.skip("_") ? `(${type})(${this.#until("E")})` : `(${type})(${this.expression()})`;
  }

  #call(): string {
    this.take(2);
    const callee = this.expression();
    return `${callee}(${this.#until("E")})`;
  }

  #memberOf(): string {
    const mark = this.take(2) === "dt" ? "." : "->";
    const owner = this.expression();
    return `${owner}${mark}${this.#unresolved()}`;
  }

  #until(end: string): string {
    const parts: string[] = [];
    while (!this.skip(end)) {
      parts.push(this.expression());
      this.bounded(parts.join(", "));
    }
    return parts.join(", ");
  }

  #operation(): string {
    const operator = OPERATORS[this.take(2)];
    if (!operator) throw new NotMangled();
    const [mark, operands] = operator;
    if (operands === 1) return `${mark}(${this.expression()})`;
    const left = this.expression();
    const right = this.expression();
    return operands === 3 ? `(${left})?(${right}):(${this.expression()})` : `(${left})${mark}(${right})`;
  }
}
