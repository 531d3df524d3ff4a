/** In which form an answer is wanted. */
import { LIMITS } from "./limits.ts";
import { badRequest, notAcceptable } from "./status-error.ts";

type Form = "object" | "table" | "metadata";

export interface AcceptedForm {
  readonly form: Form;
  /** Of the form's own kind: Table and PartialObjectMetadata are in v1 and v1beta1. */
  readonly version: "v1" | "v1beta1";
}

interface MediaType {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const META = "meta.k8s.io";
const FORMS: Readonly<Record<string, Form>> = {
  Table: "table",
  PartialObjectMetadata: "metadata",
  PartialObjectMetadataList: "metadata",
};

/** The media types of an Accept header, in the order in which they are wanted; without one, anything. @throws StatusError 400 */
export function mediaTypesIn(accept: string | undefined): MediaType[] {
  if (accept !== undefined && accept.length > LIMITS.acceptLength)
    throw badRequest(`Accept must be no longer than ${LIMITS.acceptLength} characters`);
  const all = (accept?.trim() || "*/*").split(",").map((text) => {
    const [type = "", ...rest] = text.split(";").map((part) => part.trim());
    const parameters = new Map(rest.map((each) => each.split("=", 2) as [string, string]));
    return { type: type.toLowerCase(), parameters };
  });
  const weight = ({ parameters }: MediaType) => Number(parameters.get("q") ?? 1);
  return all.filter((each) => weight(each) > 0).sort((a, b) => weight(b) - weight(a));
}

export const isJson = ({ type }: MediaType): boolean => ["application/json", "application/*", "*/*"].includes(type);

/** @throws StatusError 406 when none of what is wanted is to be had */
export function wantedIn(accept: string | undefined): AcceptedForm {
  for (const media of mediaTypesIn(accept).filter(isJson)) {
    const [as, group, version] = ["as", "g", "v"].map((name) => media.parameters.get(name));
    if (as === undefined) return { form: "object", version: "v1" };
    const form = Object.hasOwn(FORMS, as) ? FORMS[as] : undefined;
    if (form && group === META && (version === "v1" || version === "v1beta1")) return { form, version };
  }
  throw notAcceptable("application/json");
}
