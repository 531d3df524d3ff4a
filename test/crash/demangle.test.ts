/** Mangled names as programmers wrote them; what names a program may choose costs little. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { demangled } from "../../src/crash/names/demangle.ts";
import { runs } from "../support/runs.ts";

/** Results are left out, hashes of builds too; the rest is what c++filt says. */
const NAMES: readonly [string, string][] = [
  ["main", "main"],
  ["qsort@@GLIBC_2.2.5", "qsort"],
  ["_ZN4shop4Cart5totalEv", "shop::Cart::total()"],
  ["_ZNK4shop4Cart5totalEiPKc", "shop::Cart::total(int, char const*) const"],
  ["_ZN4shop12_GLOBAL__N_15priceEi", "shop::(anonymous namespace)::price(int)"],
  ["_ZNSt6vectorIiSaIiEE2atEm", "std::vector<int, std::allocator<int> >::at(unsigned long)"],
  ["_Z3maxIiET_S0_S0_", "max<int>(int, int)"],
  ["_ZN4shop4CartC2Ev", "shop::Cart::Cart()"],
  ["_ZN4shop3BoxIiED1Ev", "shop::Box<int>::~Box()"],
  ["_ZN4shop3BoxIiE4SlotC2Ev", "shop::Box<int>::Slot::Slot()"],
  [
    "_ZNSt8ios_base7failureB5cxx11C2EPKcRKSt10error_code",
    "std::ios_base::failure[abi:cxx11]::failure(char const*, std::error_code const&)",
  ],
  ["_ZZ4mainENKUliE_clEi", "main::{lambda(int)#1}::operator()(int) const"],
  ["_Z4callPFivE", "call(int (*)())"],
  ["_Z5arrayRA3_Ki", "array(int const (&) [3])"],
  ["_Z6memberM4CartKFivE", "member(int (Cart::*)() const)"],
  ["_Z3allIJidEEvDpRKT_", "all<int, double>(int const&, double const&)"],
  ["_Z3allIJEEvDpRKT_", "all<>()"],
  ["_ZlsRSo4Cart", "operator<<(std::ostream&, Cart)"],
  ["_ZN4CartcvbEv", "Cart::operator bool()"],
  ["_ZTV4Cart", "vtable for Cart"],
  ["_ZThn16_N4Cart5totalEv", "non-virtual thunk to Cart::total()"],
  ["_ZN4Cart5totalEv.cold", "Cart::total().cold"],
  ["_ZN4shop4cart5total17h0123456789abcdefE", "shop::cart::total"],
  [
    "_ZN52_$LT$shop..Cart$u20$as$u20$core..ops..drop..Drop$GT$4drop17h0123456789abcdefE",
    "<shop::Cart as core::ops::drop::Drop>::drop",
  ],
  ["_RNvNtCs8f2a_4shop4cart5total", "shop::cart::total"],
  ["_RNCNvCs8f2a_4shop4main0", "shop::main::{closure#0}"],
  ["_RNCNCNvCs8f2a_4shop4main00", "shop::main::{closure#0}::{closure#0}"],
  ["_RINvNtCs1_4core3ptr13drop_in_placeNtCs8f2a_4shop4CartEB1e_", "core::ptr::drop_in_place::<shop::Cart>"],
  ["_RNvXCs8f2a_4shopNtB2_4CartNtNtCs1_4core3fmt7Display3fmt", "<shop::Cart as core::fmt::Display>::fmt"],
  ["_Z", "_Z"],
  ["_ZNotAName", "_ZNotAName"],
  ["_R", "_R"],
];

for (const [symbol, want] of NAMES) test(`demangled() of ${symbol}`, () => assert.equal(demangled(symbol), want));

test("a name that stands for megabytes is left as it is", () => {
  const cpp = `_Z1f${"1aIS_S_S_S_S_S_E".repeat(1)}${"PFS0_S0_S0_S0_S0_S0_E".repeat(60)}`;
  const doubling = `_Z1fI${Array.from({ length: 40 }, (_, i) => `St4pairIS${i === 0 ? "" : (i - 1).toString(36).toUpperCase()}_S${i === 0 ? "" : (i - 1).toString(36).toUpperCase()}_E`).join("")}EvT_`;
  const rust = `_RIC1a${"TB3_B3_B3_B3_B3_B3_E".repeat(40)}E`;
  for (const symbol of [cpp, doubling, rust, `_Z${"P".repeat(4000)}i`, `_R${"NvB_".repeat(500)}`]) {
    const from = performance.now();
    assert.ok(demangled(symbol).length <= Math.max(symbol.length, 4096));
    assert.ok(performance.now() - from < 500);
  }
});

test("no symbol at all makes demangled() throw", () => {
  const letters = fc.constantFrom(
    ..."NIESTZLXJDFPRKOMCAUvijcb0123456789_",
    "17h",
    "St",
    "Ul",
    "DpT_",
    "S_",
    "T_",
    "B0_",
    "Cs1_",
  );
  const body = fc.array(letters, { maxLength: 80 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(fc.constantFrom("_Z", "_ZN", "_R", "_RNv", "_RINv", "_Z1fI"), body, (start, rest) => {
      assert.ok(typeof demangled(start + rest) === "string");
    }),
    { numRuns: runs(5000) },
  );
});
