/** DWARF expressions (DWARF 5, 2.5) as call frame information uses them: over registers and memory, without anything of a type. */

import { Cursor } from "../elf/cursor.ts";
import type { Registers } from "../process/arch.ts";
import type { Memory } from "../process/memory.ts";

const MAX_STEPS = 2000;
const MAX_STACK = 256;

export interface Surroundings {
  readonly registers: Registers;
  readonly memory: Memory;
  readonly bits: 32 | 64;
  /** Of the module: what DW_OP_addr is relative to. */
  readonly bias: bigint;
}

/**
 * @param initial what is on the stack at first: the CFA, for a register's rule
 * @returns the top of the stack; undefined where a register or memory that it needs is not known
 * @throws RangeError for what is not such an expression, or takes too long
 */
export function evaluate(expression: Uint8Array, around: Surroundings, initial: readonly bigint[]): bigint | undefined {
  const run = new Evaluation(expression, around, initial);
  return run.result();
}

class Unknown extends Error {}

class Evaluation {
  readonly #cursor: Cursor;
  readonly #around: Surroundings;
  readonly #stack: bigint[];

  constructor(expression: Uint8Array, around: Surroundings, initial: readonly bigint[]) {
    this.#cursor = new Cursor(expression, { littleEndian: true, bits: around.bits });
    this.#around = around;
    this.#stack = [...initial];
  }

  result(): bigint | undefined {
    try {
      for (let steps = 0; !this.#cursor.ended; steps++) {
        if (steps === MAX_STEPS || this.#stack.length > MAX_STACK) throw new RangeError("an expression without an end");
        const op = this.#cursor.u8();
        if (
          !this.#constant(op) &&
          !this.#register(op) &&
          !this.#shuffle(op) &&
          !this.#arithmetic(op) &&
          !this.#flow(op)
        )
          throw new RangeError("an unknown operation");
      }
      return this.#pop();
    } catch (error) {
      if (error instanceof Unknown) return undefined;
      throw error;
    }
  }

  #push(value: bigint): true {
    this.#stack.push(BigInt.asUintN(this.#around.bits, value));
    return true;
  }

  #pop(): bigint {
    const value = this.#stack.pop();
    if (value === undefined) throw new RangeError("an empty stack");
    return value;
  }

  #signed(): bigint {
    return BigInt.asIntN(this.#around.bits, this.#pop());
  }

  #constant(op: number): boolean {
    const cursor = this.#cursor;
    if (op >= 0x30 && op <= 0x4f) return this.#push(BigInt(op - 0x30)); // lit0 … lit31
    if (op === 0x03) return this.#push(cursor.sized(this.#around.bits / 8) + this.#around.bias); // addr
    if (op >= 0x08 && op <= 0x0f) {
      const bytes = 2 ** ((op - 0x08) >> 1); // const1u, const1s, const2u, …
      const value = cursor.sized(bytes);
      return this.#push(op & 1 ? BigInt.asIntN(8 * bytes, value) : value);
    }
    if (op === 0x10 || op === 0x11) return this.#push(cursor.bigLeb(op === 0x11));
    return false;
  }

  #register(op: number): boolean {
    const number = op >= 0x70 && op <= 0x8f ? op - 0x70 : op === 0x92 ? this.#cursor.uleb() : undefined; // breg0 … 31, bregx
    if (number === undefined) return false;
    const value = this.#around.registers[number];
    const offset = this.#cursor.bigLeb(true);
    if (value === undefined) throw new Unknown();
    return this.#push(value + offset);
  }

  #shuffle(op: number): boolean {
    const stack = this.#stack;
    if (op === 0x12) return this.#pick(0);
    if (op === 0x14) return this.#pick(1); // over
    if (op === 0x15) return this.#pick(this.#cursor.u8());
    if (op === 0x13)
      this.#pop(); // drop
    else if (op === 0x16)
      stack.push(this.#pop(), this.#pop()); // swap
    else if (op === 0x17) {
      const [a, b, c] = [this.#pop(), this.#pop(), this.#pop()]; // rot
      stack.push(a, c, b);
    } else if (op === 0x06) this.#load(this.#around.bits / 8);
    else if (op === 0x94) this.#load(this.#cursor.u8());
    else if (op !== 0x96) return false; // nop
    return true;
  }

  #pick(index: number): boolean {
    const value = this.#stack.at(-1 - index);
    if (value === undefined) throw new RangeError("an empty stack");
    return this.#push(value);
  }

  #load(bytes: number): void {
    const value = bytes >= 1 && bytes <= 8 ? this.#around.memory.number(this.#pop(), bytes) : undefined;
    if (value === undefined) throw new Unknown();
    this.#push(value);
  }

  #arithmetic(op: number): boolean {
    const bits = BigInt(this.#around.bits);
    if (op === 0x19) return this.#push(((value) => (value < 0n ? -value : value))(this.#signed())); // abs
    if (op === 0x1f) return this.#push(-this.#pop());
    if (op === 0x20) return this.#push(~this.#pop());
    if (op === 0x23) return this.#push(this.#pop() + this.#cursor.bigLeb(false)); // plus_uconst
    if (op >= 0x29 && op <= 0x2e) return this.#compare(op);
    if (op < 0x1a || op > 0x27) return false;
    const [b, a] = [this.#pop(), this.#pop()];
    if ((op === 0x1b || op === 0x1d) && b === 0n) throw new RangeError("a division by zero");
    const signed = (value: bigint): bigint => BigInt.asIntN(this.#around.bits, value);
    if (op === 0x1a) return this.#push(a & b);
    if (op === 0x1b) return this.#push(signed(a) / signed(b));
    if (op === 0x1c) return this.#push(a - b);
    if (op === 0x1d) return this.#push(a % b);
    if (op === 0x1e) return this.#push(a * b);
    if (op === 0x21) return this.#push(a | b);
    if (op === 0x22) return this.#push(a + b);
    if (op === 0x24) return this.#push(b < bits ? a << b : 0n);
    if (op === 0x25) return this.#push(b < bits ? a >> b : 0n);
    if (op === 0x26) return this.#push(signed(a) >> (b < bits ? b : bits));
    return this.#push(a ^ b); // 0x27
  }

  #compare(op: number): boolean {
    const [b, a] = [this.#signed(), this.#signed()];
    const holds = [a === b, a >= b, a > b, a <= b, a < b, a !== b][op - 0x29];
    return this.#push(holds ? 1n : 0n);
  }

  /** skip, bra */
  #flow(op: number): boolean {
    if (op !== 0x2f && op !== 0x28) return false;
    const offset = (this.#cursor.u16() << 16) >> 16;
    if (op === 0x28 && this.#pop() === 0n) return true;
    const to = this.#cursor.at + offset;
    if (to < 0 || to > this.#cursor.bytes.length) throw new RangeError("a jump out of the expression");
    this.#cursor.at = to;
    return true;
  }
}
