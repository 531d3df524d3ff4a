import assert from "node:assert/strict";
import { test } from "node:test";
import { CONTROLLER, LABELLED_BY, labelChange, NODE_LABEL } from "../../../src/cluster/policy/node-label.ts";

const ours = { labels: { [NODE_LABEL]: "true" }, annotations: { [LABELLED_BY]: CONTROLLER } };
const none = { labels: { [NODE_LABEL]: null }, annotations: { [LABELLED_BY]: null } };

const cases = [
  { on: "labels a node with an agent", node: {}, isServed: true, want: ours },
  { on: "leaves a label that is there", node: ours, isServed: true, want: undefined },
  { on: "takes its own label off when the agent is gone", node: ours, isServed: false, want: none },
  { on: "leaves an admin's label", node: { labels: { [NODE_LABEL]: "true" } }, isServed: false, want: undefined },
  { on: "leaves an admin's refusal", node: { labels: { [NODE_LABEL]: "false" } }, isServed: true, want: undefined },
  { on: "leaves a node without an agent", node: {}, isServed: false, want: undefined },
];
for (const { on, node, isServed, want } of cases)
  test(`labelChange() ${on}`, () => assert.deepEqual(labelChange(node, isServed), want));
