/** What a query says, read once: what is decided about who may is decided about what is then done. */

import { quoted } from "./limits.ts";
import { type ListQuery, versionIn } from "./listing.ts";
import { nameSelected, type Selector, selectionIn } from "./selectors.ts";
import { badRequest, StatusError } from "./status-error.ts";
import type { WatchQuery } from "./watching.ts";

/** As the router gives it: a parameter that stands there twice is a list. */
type Parameters = Readonly<Record<string, string | readonly string[] | undefined>>;

type FieldValidation = "Strict" | "Warn" | "Ignore";

export class Query {
  readonly #parameters: Parameters;

  constructor(parameters: unknown) {
    this.#parameters = (parameters ?? {}) as Parameters;
  }

  /** The first, where there are several. */
  text(name: string): string | undefined {
    const value = Object.hasOwn(this.#parameters, name) ? this.#parameters[name] : undefined;
    return typeof value === "string" ? value : value?.[0];
  }

  /** As kube-apiserver reads it: anything but 0 and false is true. */
  flag(name: string): boolean | undefined {
    const text = this.text(name)?.toLowerCase();
    return text === undefined ? undefined : text !== "0" && text !== "false";
  }

  get isWatch(): boolean {
    return this.flag("watch") === true;
  }

  get selection(): Selector {
    return selectionIn(this.text("labelSelector") ?? "", this.text("fieldSelector") ?? "");
  }

  /** Of the selection, what is needed to tell who may: short, so it may be read before that is known. @throws StatusError 400 */
  get selectedName(): string | undefined {
    return nameSelected(this.text("fieldSelector") ?? "");
  }

  get list(): ListQuery {
    const limit = this.#number("limit");
    return {
      limit: limit === 0 ? undefined : limit,
      continueToken: this.text("continue") || undefined,
      resourceVersion: this.text("resourceVersion"),
      resourceVersionMatch: this.text("resourceVersionMatch") || undefined,
    };
  }

  get watch(): WatchQuery {
    return {
      version: versionIn(this.text("resourceVersion")),
      bookmarks: this.flag("allowWatchBookmarks") === true,
      sendInitialEvents: this.flag("sendInitialEvents"),
      resourceVersionMatch: this.text("resourceVersionMatch") || undefined,
    };
  }

  get timeoutSeconds(): number | undefined {
    return this.#number("timeoutSeconds") || undefined;
  }

  /** @param inBody what DeleteOptions say of it */
  dryRun(inBody: readonly unknown[] = []): boolean {
    const given = [...inBody, ...[this.#parameters["dryRun"] ?? []].flat()].filter((each) => each !== "");
    const other = given.find((each) => each !== "All");
    if (other === undefined) return given.length > 0;
    throw unsupported("dryRun", other, '"All"');
  }

  get fieldValidation(): FieldValidation {
    const text = this.text("fieldValidation") || "Warn";
    if (text === "Strict" || text === "Warn" || text === "Ignore") return text;
    throw unsupported("fieldValidation", text, '"Ignore", "Strict", "Warn"');
  }

  #number(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined || text === "") return undefined;
    if (!/^\d{1,15}$/.test(text)) throw badRequest(`${name} must be a whole number, not ${quoted(text)}`);
    return Number(text);
  }
}

const unsupported = (field: string, value: unknown, values: string): StatusError =>
  new StatusError(422, "Invalid", `${field}: Unsupported value: ${quoted(value)}: supported values: ${values}`);
