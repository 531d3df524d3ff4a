/**
 * Fields of JSON that outlives the build that wrote it. Each is declared once; its type, its check and what stands there
 * while it is not known come from that.
 */

/** What `read()` gives for JSON of another shape. */
export const OTHER = Symbol("of another shape");

interface Field<T> {
  /** What stands there while it is not known. */
  readonly blank: T;
  /** @param lenient  parts of another shape become blank; without it they make the whole one of another shape */
  readonly read: (json: unknown, lenient: boolean) => T | typeof OTHER;
  /** What an object, or each object of a list, is made of. */
  readonly fields?: Fields;
}
type Fields = Readonly<Record<string, Field<unknown>>>;
export type ValueOf<F> = F extends Field<infer T> ? T : never;

const scalar = <T>(blank: T, isOne: (json: unknown) => boolean): Field<T> => ({
  blank,
  read: (json) => (isOne(json) ? (json as T) : OTHER),
});

/** Any text: a word of a later build is read as it is. */
export const text = <T extends string = string>(blank = "" as NoInfer<T>): Field<T> =>
  scalar<T>(blank, (json) => typeof json === "string");

/** A whole number: all of ours count something. */
export const number = <T extends number = number>(blank = 0 as NoInfer<T>): Field<T> =>
  scalar<T>(blank, Number.isSafeInteger);

export const flag = (blank = false): Field<boolean> => scalar(blank, (json) => typeof json === "boolean");

/** No other word will do. */
export const oneOf = <T extends string>(words: readonly T[], blank: NoInfer<T>): Field<T> =>
  scalar<T>(blank, (json) => (words as readonly unknown[]).includes(json));

/** May be missing, too: an earlier build did not know it yet. */
export const orNull = <T>(field: Field<T>): Field<T | null> => ({
  ...field,
  blank: null,
  read: (json, lenient) => (json === undefined || json === null ? null : field.read(json, lenient)),
});

export const list = <T>(item: Field<T>): Field<readonly T[]> => ({
  ...item,
  blank: [],
  read(json, lenient) {
    if (!Array.isArray(json)) return OTHER;
    const items = json.map((each) => orBlank(item, each, lenient));
    return items.includes(OTHER) ? OTHER : (items as T[]);
  },
});

/** Fields of a later build stay as they are. */
export function object<const F extends Fields>(fields: F): ObjectField<F> {
  const entries = Object.entries(fields);
  return {
    fields,
    blank: Object.fromEntries(entries.map(([name, { blank }]) => [name, blank])) as ValuesOf<F>,
    read(json, lenient) {
      if (typeof json !== "object" || json === null || Array.isArray(json)) return OTHER;
      const values: Record<string, unknown> = { ...json };
      for (const [name, field] of entries) {
        const value = orBlank(field, values[name], lenient);
        if (value === OTHER) return OTHER;
        values[name] = value;
      }
      return values as ValuesOf<F>;
    },
  };
}

type ValuesOf<F extends Fields> = { readonly [K in keyof F]: ValueOf<F[K]> };
interface ObjectField<F extends Fields> extends Field<ValuesOf<F>> {
  readonly fields: F;
}

function orBlank<T>(field: Field<T>, json: unknown, lenient: boolean): T | typeof OTHER {
  const read = field.read(json, lenient);
  return read === OTHER && lenient ? field.blank : read;
}
