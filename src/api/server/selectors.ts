/** Label and field selectors, as they stand in a query. */

import { LIMITS, quoted } from "./limits.ts";
import { labelValueProblem, qualifiedNameProblem } from "./names.ts";
import { badRequest } from "./status-error.ts";

type Labels = Readonly<Record<string, string>>;

export interface Selector {
  readonly labels: (labels: Labels) => boolean;
  /** Undefined: any. */
  readonly fields: FieldSelector;
  /** Whether it may leave anything out. */
  readonly selects: boolean;
}

interface FieldSelector {
  readonly matches: (object: { readonly name: string; readonly namespace: string }) => boolean;
  /** The one name that it asks for. */
  readonly name: string | undefined;
}

/** @throws StatusError 400 */
export function selectionIn(labelSelector: string, fieldSelector: string): Selector {
  return {
    labels: labelsMatch(labelSelector),
    fields: fieldsMatch(fieldSelector),
    selects: labelSelector.trim() !== "" || fieldSelector.trim() !== "",
  };
}

type Test = (labels: Labels) => boolean;

function labelsMatch(selector: string): Test {
  const tests = requirementsIn(selector, LIMITS.labelSelectorLength).map(labelTest);
  return (labels) => tests.every((test) => test(labels));
}

/** At commas that are in no parentheses. @throws StatusError 400 when there is more of it than anybody needs */
function requirementsIn(selector: string, mostLength: number): string[] {
  if (selector.length > mostLength) throw badRequest(`a selector must be no longer than ${mostLength} characters`);
  if (selector.trim() === "") return [];
  const found: string[] = [];
  let [from, isInside] = [0, false];
  for (const { 0: mark, index } of selector.matchAll(/[(),]/g)) {
    if (mark !== ",") isInside = mark === "(";
    else if (!isInside) {
      found.push(selector.slice(from, index).trim());
      from = index + 1;
    }
    if (found.length === LIMITS.requirements)
      throw badRequest(`a selector must have no more than ${LIMITS.requirements} requirements`);
  }
  return [...found, selector.slice(from).trim()];
}

const KEY = "(?<key>[^\\s!=<>(),]+)";
const SHAPES = {
  set: new RegExp(`^${KEY}\\s+(?<how>in|notin)\\s*\\((?<values>[^()]*)\\)$`),
  order: new RegExp(`^${KEY}\\s*(?<how>[<>])\\s*(?<value>-?\\d+)$`),
  equal: new RegExp(`^${KEY}\\s*(?<how>==|=|!=)\\s*(?<value>[^\\s!=<>(),]*)$`),
  exists: new RegExp(`^(?<how>!?)\\s*${KEY}$`),
};

function labelTest(requirement: string): Test {
  const found = Object.values(SHAPES)
    .map((shape) => shape.exec(requirement)?.groups)
    .find((groups) => groups !== undefined);
  if (!found) throw badRequest(`unable to parse requirement: ${quoted(requirement)} is not a label selector`);
  const { key = "", how = "", value, values } = found;
  const wanted = (values ?? value ?? "").split(",").map((each) => each.trim());
  const problem = qualifiedNameProblem(key) ?? wanted.map(labelValueProblem).find((each) => each !== undefined);
  if (problem && how !== "<" && how !== ">")
    throw badRequest(`unable to parse requirement: ${quoted(requirement)}: ${problem}`);
  return testFor(key, how, wanted);
}

/** As Kubernetes has it: what is not there is unequal to anything, and in no set. */
function testFor(key: string, how: string, wanted: readonly string[]): Test {
  const values = new Set(wanted);
  const isIn: Test = (labels) => Object.hasOwn(labels, key) && values.has(labels[key] ?? "");
  const number = (labels: Labels) => (/^-?\d+$/.test(labels[key] ?? "") ? Number(labels[key]) : Number.NaN);
  switch (how) {
    case "":
      return (labels) => Object.hasOwn(labels, key);
    case "!":
      return (labels) => !Object.hasOwn(labels, key);
    case "!=":
    case "notin":
      return (labels) => !isIn(labels);
    case "<":
      return (labels) => number(labels) < Number(wanted[0]);
    case ">":
      return (labels) => number(labels) > Number(wanted[0]);
    default:
      return isIn;
  }
}

/** The one name that a field selector asks for, read alone: a right may depend on it. @throws StatusError 400 */
export const nameSelected = (fieldSelector: string): string | undefined => fieldsMatch(fieldSelector).name;

const FIELD = /^(?<field>metadata\.(?:name|namespace))\s*(?<how>==|=|!=)\s*(?<value>[^\s=!,]*)$/;

function fieldsMatch(selector: string): FieldSelector {
  const wanted = requirementsIn(selector, LIMITS.fieldSelectorLength).map((requirement) => {
    const { field, how, value = "" } = FIELD.exec(requirement)?.groups ?? {};
    if (field === undefined)
      throw badRequest(
        `field label not supported: ${quoted(requirement)}; there are metadata.name and metadata.namespace`,
      );
    return {
      field: field === "metadata.name" ? ("name" as const) : ("namespace" as const),
      isEqual: how !== "!=",
      value,
    };
  });
  return {
    matches: (object) => wanted.every(({ field, isEqual, value }) => (object[field] === value) === isEqual),
    name: wanted.find(({ field, isEqual }) => field === "name" && isEqual)?.value,
  };
}
