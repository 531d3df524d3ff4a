/** What is wrong with an endpoint that was sent, field by field. */
import type { CoredumpEndpoint } from "./kind.ts";
import { annotationsProblem, labelValueProblem, nameProblem, qualifiedNameProblem, uidProblem } from "./names.ts";

interface FieldProblem {
  readonly field: string;
  readonly value: unknown;
  readonly problem: string;
}

/** What is wrong with an object; empty when it may be stored. */
export function problemsOf({ metadata, spec }: CoredumpEndpoint): FieldProblem[] {
  const { name, generateName, labels = {}, annotations = {}, finalizers = [], ownerReferences = [] } = metadata;
  const { podname, poduid } = spec;
  const wrong = (field: string, value: unknown, problem: string | undefined): FieldProblem[] =>
    problem === undefined ? [] : [{ field, value, problem }];
  return [
    ...wrong("metadata.name", name, nameProblem(name)),
    ...wrong("metadata.generateName", generateName, generateName && nameProblem(`${generateName}x`)),
    ...Object.entries(labels).flatMap(([key, value]) => [
      ...wrong("metadata.labels", key, qualifiedNameProblem(key)),
      ...wrong("metadata.labels", value, labelValueProblem(value)),
    ]),
    ...wrong("metadata.annotations", "…", annotationsProblem(annotations)),
    ...finalizers.flatMap((each) => wrong("metadata.finalizers", each, finalizerProblem(each))),
    ...ownerReferences.flatMap((owner, index) =>
      Object.entries(owner).flatMap(([field, value]) =>
        wrong(`metadata.ownerReferences[${index}].${field}`, value, value === "" ? "must not be empty" : undefined),
      ),
    ),
    ...wrong("metadata.ownerReferences", "…", severalControllers(ownerReferences)),
    ...(podname === undefined ? [] : wrong("spec.podname", podname, nameProblem(podname))),
    ...wrong("spec.poduid", poduid, uidProblem(poduid)),
  ];
}

/** Those of Kubernetes itself have no prefix; anybody else's needs one. */
const finalizerProblem = (name: string): string | undefined =>
  ["foregroundDeletion", "orphan"].includes(name) || name.includes("/")
    ? qualifiedNameProblem(name)
    : "should be a domain-qualified finalizer name, such as example.com/name";

const severalControllers = (owners: readonly { readonly controller?: boolean }[]): string | undefined =>
  owners.filter(({ controller }) => controller).length > 1
    ? "only one reference can have controller set to true"
    : undefined;
