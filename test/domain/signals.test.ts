import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { hasFaultAddress, signalCodeText, signalName } from "../../src/domain/signals.ts";

// signal(7): every signal whose default action is to dump core.
const DUMPING = [
  "SIGABRT",
  "SIGBUS",
  "SIGFPE",
  "SIGILL",
  "SIGQUIT",
  "SIGSEGV",
  "SIGSYS",
  "SIGTRAP",
  "SIGXCPU",
  "SIGXFSZ",
];

for (const name of DUMPING) {
  test(`signalName() knows ${name} by the number that this system gives it`, () => {
    assert.equal(signalName(constants.signals[name as NodeJS.Signals]), name);
  });
}

test("signalName() counts real-time signals, and says the number of a signal without a name", () => {
  assert.deepEqual([34, 42, 64].map(signalName), ["SIGRTMIN", "SIGRTMIN+8", "SIGRTMIN+30"]);
  assert.deepEqual([33, 65, 0, -1].map(signalName), ["signal 33", "signal 65", "signal 0", "signal -1"]);
});

// sigaction(2), asm-generic/siginfo.h
const codes = [
  { number: 11, code: 1, want: "address not mapped" },
  { number: 11, code: 2, want: "invalid permissions" },
  { number: 11, code: 10, want: "control-flow protection" },
  { number: 7, code: 2, want: "nonexistent physical address" },
  { number: 7, code: 5, want: "hardware memory error (action optional)" },
  { number: 8, code: 1, want: "integer division by zero" },
  { number: 8, code: 8, want: "subscript out of range" },
  { number: 4, code: 8, want: "internal stack error" },
  { number: 31, code: 1, want: "seccomp triggered" },
  { number: 6, code: -6, want: "sent by tkill" },
  { number: 11, code: 0, want: "sent by kill" },
  { number: 11, code: 128, want: "sent by the kernel" },
  { number: 11, code: 99, want: undefined },
  { number: 3, code: 1, want: undefined },
  { number: -1, code: 2 ** 31 - 1, want: undefined },
];
for (const { number, code, want } of codes) {
  test(`signalCodeText() of ${number}, ${code} is ${want}`, () => assert.equal(signalCodeText(number, code), want));
}

const faults = [
  { on: "SIGSEGV at an address", number: 11, code: 1, want: true },
  { on: "SIGBUS", number: 7, code: 3, want: true },
  { on: "SIGFPE", number: 8, code: 1, want: true },
  { on: "SIGILL", number: 4, code: 1, want: true },
  { on: "SIGTRAP", number: 5, code: 1, want: true },
  { on: "SIGSEGV that somebody sent", number: 11, code: 0, want: false },
  { on: "SIGSEGV sent by sigqueue", number: 11, code: -1, want: false },
  { on: "SIGSEGV of the kernel, which knows no address", number: 11, code: 128, want: false },
  { on: "an asynchronous tag fault, reported with address 0", number: 11, code: 8, want: false },
  { on: "SIGABRT", number: 6, code: -6, want: false },
  { on: "SIGSYS", number: 31, code: 1, want: false },
];
for (const { on, number, code, want } of faults) {
  test(`hasFaultAddress() of ${on} is ${want}`, () => assert.equal(hasFaultAddress(number, code), want));
}
