/** Objects, lists and events in the form that the client wants, as text. */

import type { StoredItem } from "../storage/storage.ts";
import { type AcceptedForm, wantedIn } from "./accept.ts";
import { type CoredumpEndpoint, GROUP_VERSION, KIND, LIST_KIND } from "./kind.ts";
import { quoted } from "./limits.ts";
import type { ListPage } from "./listing.ts";
import { badRequest, type StatusBody } from "./status-error.ts";
import { endpointOf, jsonOf } from "./stored.ts";
import { type IncludeObject, type ListMeta, partialListOf, partialOf, tableOf } from "./table.ts";
import type { Event } from "./watching.ts";

/** Of one request. */
export class Answers {
  readonly #wanted: AcceptedForm;
  readonly #include: IncludeObject;
  #firstTable = true;

  /** @throws StatusError 400, 406 */
  constructor(accept: string | undefined, includeObject: string | undefined) {
    this.#wanted = wantedIn(accept);
    this.#include = includeIn(includeObject);
  }

  /** @param value as it is stored */
  object(value: string, revision: bigint): string {
    const { form, version } = this.#wanted;
    if (form === "object") return jsonOf(value, revision);
    const endpoint = endpointOf(value, revision);
    if (form === "metadata") return JSON.stringify(partialOf(endpoint, version));
    return JSON.stringify(this.#table([endpoint], { resourceVersion: String(revision) }, true));
  }

  /** A list, piece by piece. */
  async *list({ batches, revision, continueToken, remaining }: ListPage): AsyncGenerator<string> {
    const metadata: ListMeta = {
      resourceVersion: String(revision),
      ...(continueToken !== undefined && { continue: continueToken }),
      ...(remaining !== undefined && { remainingItemCount: remaining }),
    };
    const { [this.#elements]: _, ...head } = this.#listOf([], metadata);
    yield `${JSON.stringify(head).slice(0, -1)},"${this.#elements}":[`;
    let isFirst = true;
    for await (const items of batches) {
      const texts = items.length === 0 ? "" : this.#textsOf(items, metadata);
      if (texts !== "") yield isFirst ? texts : `,${texts}`;
      isFirst &&= texts === "";
    }
    yield "]}";
  }

  /** One line of a watch. */
  event(event: Event): string {
    const object = event.type === "BOOKMARK" ? this.#bookmark(event) : this.#changed(event);
    return `{"type":"${event.type}","object":${object}}\n`;
  }

  failure(status: StatusBody): string {
    return `${JSON.stringify({ type: "ERROR", object: status })}\n`;
  }

  get #elements(): "items" | "rows" {
    return this.#wanted.form === "table" ? "rows" : "items";
  }

  #listOf(endpoints: readonly CoredumpEndpoint[], metadata: ListMeta): Record<string, unknown> {
    const { form, version } = this.#wanted;
    if (form === "table") return this.#table(endpoints, metadata, true);
    if (form === "metadata") return partialListOf(endpoints, metadata, version);
    return { kind: LIST_KIND, apiVersion: GROUP_VERSION, metadata, items: endpoints };
  }

  /** The elements of a list, with commas between them. */
  #textsOf(items: readonly StoredItem[], metadata: ListMeta): string {
    if (this.#wanted.form === "object") return items.map(({ value, revision }) => jsonOf(value, revision)).join(",");
    const endpoints = items.map(({ value, revision }) => endpointOf(value, revision));
    return JSON.stringify(this.#listOf(endpoints, metadata)[this.#elements]).slice(1, -1);
  }

  #changed({ value, revision }: Exclude<Event, { type: "BOOKMARK" }>): string {
    if (this.#wanted.form !== "table") return this.object(value, revision);
    const withColumns = this.#firstTable;
    this.#firstTable = false;
    return JSON.stringify(
      this.#table([endpointOf(value, revision)], { resourceVersion: String(revision) }, withColumns),
    );
  }

  #bookmark({ revision, initialEventsEnd }: Extract<Event, { type: "BOOKMARK" }>): string {
    const { form, version } = this.#wanted;
    const annotations = initialEventsEnd ? { annotations: { "k8s.io/initial-events-end": "true" } } : {};
    const metadata = { resourceVersion: String(revision), creationTimestamp: null, ...annotations };
    if (form === "table")
      return JSON.stringify(this.#table([], { resourceVersion: String(revision), ...annotations }, false));
    if (form === "metadata")
      return JSON.stringify({ kind: "PartialObjectMetadata", apiVersion: `meta.k8s.io/${version}`, metadata });
    return JSON.stringify({ kind: KIND, apiVersion: GROUP_VERSION, metadata, spec: {} });
  }

  #table(endpoints: readonly CoredumpEndpoint[], metadata: ListMeta, withColumns: boolean): Record<string, unknown> {
    return tableOf(endpoints, metadata, { version: this.#wanted.version, include: this.#include, withColumns });
  }
}

function includeIn(text: string | undefined): IncludeObject {
  if (text === undefined || text === "") return "Metadata";
  if (text === "None" || text === "Metadata" || text === "Object") return text;
  throw badRequest(`includeObject must be None, Metadata or Object, not ${quoted(text)}`);
}
