import assert from "node:assert/strict";
import { test } from "node:test";
import { leftOut } from "../../../src/node/kernel/filter.ts";

const cases = [
  { filter: "00000033\n", want: undefined },
  { filter: "0000007f\n", want: undefined }, // more than the default
  {
    filter: "00000000\n",
    want: /0x0 left out private anonymous memory, shared anonymous memory, ELF headers, private huge/,
  },
  { filter: "00000031\n", want: /0x31 left out shared anonymous memory: / },
  { filter: "00000100\n", want: /0x100 left out private anonymous/ }, // DAX alone
  { filter: "", want: undefined },
  { filter: "rubbish", want: undefined },
];
for (const { filter, want } of cases) {
  test(`leftOut() of ${JSON.stringify(filter)}`, () => {
    const words = leftOut(Buffer.from(filter));
    if (want === undefined) assert.equal(words, undefined);
    else assert.match(words ?? "", want);
  });
}

test("leftOut() of a process that is gone", () => assert.equal(leftOut(undefined), undefined));
