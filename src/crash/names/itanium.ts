/**
 * C++ names: the Itanium C++ ABI's mangling (itanium-cxx-abi.github.io/cxx-abi/abi.html, 5.1). Result types are left out: a stack shows
 * which function it is, not what it returns.
 */
import { ItaniumExpressions, OPERATORS } from "./itanium-expressions.ts";
import { argumentsText, plain, type TemplateArgument, textOf } from "./itanium-types.ts";
import { NotMangled } from "./mangled.ts";

/** @returns undefined where it is not such a name, or one beyond the bounds */
export function demangleCpp(symbol: string): string | undefined {
  const from = symbol.startsWith("__Z") ? 3 : symbol.startsWith("_Z") ? 2 : -1;
  if (from < 0) return undefined;
  try {
    const name = new Itanium(symbol, from);
    const text = name.encoding();
    if (!name.ended && name.next !== ".") return undefined;
    return text + symbol.slice(name.at);
  } catch (error) {
    if (error instanceof NotMangled) return undefined;
    throw error;
  }
}

const SPECIAL: Readonly<Record<string, string>> = {
  TV: "vtable for ",
  TT: "VTT for ",
  TI: "typeinfo for ",
  TS: "typeinfo name for ",
  GV: "guard variable for ",
};

class Itanium extends ItaniumExpressions {
  /** Of the name that was read last: templates say what they return, but constructors and conversions do not. */
  #isTemplate = false;
  #hasNoResult = false;
  #qualifiers = "";

  encoding(): string {
    return this.within(() => this.bounded(this.#encoding()));
  }

  #encoding(): string {
    const special = this.#special();
    if (special !== undefined) return special;
    this.#qualifiers = "";
    const name = this.name();
    const [isTemplate, hasNoResult, qualifiers] = [this.#isTemplate, this.#hasNoResult, this.#qualifiers];
    if (this.ended || this.next === "E" || this.next === ".") return name;
    if (isTemplate && !hasNoResult) this.type();
    return `${name}(${this.parameters()})${qualifiers}`;
  }

  #special(): string | undefined {
    const word = SPECIAL[this.peek(2)];
    if (word) {
      this.take(2);
      return word + (word.startsWith("guard") ? this.name() : textOf(this.type()));
    }
    if (this.skip("Th")) return `non-virtual thunk to ${this.#offset().encoding()}`;
    if (this.skip("Tv")) return `virtual thunk to ${this.#offset().#offset().encoding()}`;
    if (this.skip("Tc")) return `covariant return thunk to ${this.past(1).#offset().past(1).#offset().encoding()}`;
    if (this.skip("TW")) return `TLS wrapper function for ${this.name()}`;
    if (this.skip("TH")) return `TLS init function for ${this.name()}`;
    if (this.skip("GTt") || this.skip("GTn")) return `transaction clone for ${this.encoding()}`;
    return undefined;
  }

  #offset(): this {
    this.skip("n");
    this.digits();
    this.expect("_");
    return this;
  }

  name(): string {
    return this.within(() => {
      this.#isTemplate = false;
      this.#hasNoResult = false;
      if (this.next === "N") return this.#nested();
      if (this.next === "Z") return this.#local();
      const isSubstitution = this.next === "S" && this.peek(2) !== "St";
      const name = isSubstitution
        ? textOf(this.substitution())
        : (this.skip("St") ? "std::" : "") + this.#unqualified("");
      if (this.next !== "I") return name;
      if (!isSubstitution) this.remember(plain(name));
      return this.#withArguments(name);
    });
  }

  #withArguments(name: string): string {
    const hasNoResult = this.#hasNoResult;
    const args: readonly TemplateArgument[] = this.templateArgs();
    this.args = args;
    [this.#isTemplate, this.#hasNoResult] = [true, hasNoResult];
    return this.bounded(`${name}${name.endsWith("<") ? " " : ""}<${argumentsText(args)}>`);
  }

  #nested(): string {
    this.expect("N");
    let qualifiers = "";
    while (/[rVK]/.test(this.next))
      qualifiers = ({ r: " restrict", V: " volatile", K: " const" }[this.take()] ?? "") + qualifiers;
    if (/[RO]/.test(this.next)) qualifiers += this.take() === "R" ? " &" : " &&";
    let name = "";
    while (!this.skip("E")) {
      name = this.within(() => this.bounded(this.#component(name)));
      if (this.next !== "E" && name !== "std") this.#rememberOnce(name);
    }
    if (name === "") throw new NotMangled();
    this.#qualifiers = qualifiers;
    return name;
  }

  #isKnown = false;

  #rememberOnce(name: string): void {
    if (!this.#isKnown) this.remember(plain(name));
  }

  /** One more part of a nested name. */
  #component(scope: string): string {
    this.#isKnown = false;
    const join = scope === "" ? "" : `${scope}::`;
    if (this.next === "I") return this.#withArguments(scope);
    this.#isTemplate = false;
    if (this.next === "S") {
      if (this.skip("St")) return "std";
      this.#isKnown = true;
      return textOf(this.substitution());
    }
    if (this.next === "T") return textOf(this.parameter());
    if (this.peek(2) === "Dt" || this.peek(2) === "DT") {
      this.#isKnown = true; // type() remembers it
      return textOf(this.type());
    }
    if (this.skip("M")) {
      this.#isKnown = true;
      return scope;
    }
    return join + this.#unqualified(scope);
  }

  /** @param scope what it is in: constructors are called after it */
  #unqualified(scope: string): string {
    this.#hasNoResult = false;
    this.skip("L");
    let name = this.#plainUnqualified(scope);
    while (this.skip("B")) name += `[abi:${this.take(this.digits())}]`;
    return name;
  }

  #plainUnqualified(scope: string): string {
    if (/\d/.test(this.next)) return this.#source();
    const two = this.peek(2);
    if (/^C[I1-5]/.test(two) || /^D[0-5]/.test(two)) return this.#structor(scope);
    if (two === "Ut") return `{unnamed type#${this.past(2).#discriminator()}}`;
    if (two === "Ul") return this.#lambda();
    if (two === "DC") return this.#binding();
    return this.#operator();
  }

  #source(): string {
    const name = this.take(this.digits());
    return name.startsWith("_GLOBAL__N") ? "(anonymous namespace)" : name;
  }

  #structor(scope: string): string {
    this.#hasNoResult = true;
    const isDestructor = this.take() === "D";
    const isInherited = this.skip("I");
    this.take();
    if (isInherited) this.type();
    const own = lastName(scope.replace(/(\[abi:\w+\])+$/, ""));
    return (isDestructor ? "~" : "") + (own === "string" ? "basic_string" : own);
  }

  #discriminator(): number {
    const number = this.next === "_" ? 1 : this.digits() + 2;
    this.expect("_");
    return number;
  }

  #lambda(): string {
    this.take(2);
    const outer = this.inLambda;
    this.inLambda = true;
    const parameters = this.parameters();
    this.inLambda = outer;
    this.expect("E");
    return `{lambda(${parameters})#${this.#discriminator()}}`;
  }

  #binding(): string {
    this.take(2);
    const names: string[] = [];
    while (!this.skip("E")) names.push(this.#source());
    return `[${names.join(", ")}]`;
  }

  #operator(): string {
    const code = this.take(2);
    if (code === "cv") {
      const type = textOf(this.type());
      this.#hasNoResult = true;
      return `operator ${type}`;
    }
    if (code === "li") return `operator"" ${this.#source()}`;
    const operator = OPERATORS[code];
    if (!operator) throw new NotMangled();
    return `operator${operator[0]}`;
  }

  /** Something inside a function. */
  #local(): string {
    this.expect("Z");
    const outer = this.encoding();
    this.expect("E");
    if (this.skip("s")) {
      this.#skipLocalNumber();
      return `${outer}::string literal`;
    }
    if (this.skip("d")) {
      if (this.next !== "_") this.digits();
      this.expect("_");
    }
    const inner = this.name();
    const [isTemplate, hasNoResult] = [this.#isTemplate, this.#hasNoResult];
    this.#skipLocalNumber();
    [this.#isTemplate, this.#hasNoResult] = [isTemplate, hasNoResult];
    return `${outer}::${inner}`;
  }

  #skipLocalNumber(): void {
    if (!this.skip("_")) return;
    if (this.skip("_")) {
      this.digits();
      this.expect("_");
    } else this.digits();
  }
}

/** `a::B<c::D>` → `B`. */
function lastName(scope: string): string {
  let [end, depth, from] = [scope.length, 0, 0];
  for (let at = scope.length - 1; at >= 0; at--) {
    const letter = scope[at];
    if (letter === ">" || letter === ")" || letter === "}") depth++;
    else if (letter === "<" || letter === "(" || letter === "{") {
      if (--depth === 0 && letter === "<") end = at;
    } else if (letter === ":" && depth === 0) {
      from = at + 1;
      break;
    }
  }
  return scope.slice(from, Math.max(from, end));
}
