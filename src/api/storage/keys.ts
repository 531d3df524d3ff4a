/** Failures about keys and revisions, the same in both storages. */
import { DumpError } from "../../domain/failures.ts";

export const exists = (key: string): DumpError =>
  new DumpError("API_CONFLICT", `Cannot create ${key}: it exists already`);

export const changed = (key: string, expected: bigint): DumpError =>
  new DumpError("API_CONFLICT", `Cannot change ${key}: it has another revision than ${expected}`);

export const notThere = (key: string): DumpError => new DumpError("NOT_FOUND", `Cannot find ${key}`);

export const gone = (revision: bigint): DumpError =>
  new DumpError("API_GONE", `Cannot go on from revision ${revision}: it is not known any more`, {
    hint: "list again, and go on from there",
  });

/** The first key after all that begin with that prefix. Keys are ASCII, so its last character has a next one. */
export const endOf = (prefix: string): string =>
  prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
