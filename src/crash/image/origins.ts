/** Where a module comes from, in its own words: the distribution's package, Go's build information, the run-time that it is. */

import type { CrashModule } from "../../domain/crash.ts";
import { textOf } from "../../domain/text.ts";
import { Cursor } from "../elf/cursor.ts";
import { walkNotes } from "../elf/notes.ts";
import { PT_NOTE } from "../elf/program-headers.ts";
import { safeName } from "../elf/safe-name.ts";
import { headerReader, type Image } from "./image.ts";

/** "Package Metadata for Executable Files", systemd.io/PACKAGE_METADATA_FOR_EXECUTABLE_FILES: owner FDO, JSON. */
const NT_FDO_PACKAGING = 0xcafe1a7e;
const MAX_NOTE_BYTES = 4096;
const MAX_MODULE_INFO_BYTES = 1 << 20;

export function packageOf(image: Image): CrashModule["package"] {
  let text: string | undefined;
  for (const segment of image.segments) {
    if (segment.type !== PT_NOTE || segment.fileBytes > 1 << 20) continue;
    walkNotes(headerReader(image), segment, image.header, (note) => {
      if (note.name === "FDO" && note.type === NT_FDO_PACKAGING)
        text ??= textOf(note.desc(MAX_NOTE_BYTES)).replace(/\0.*$/s, "");
    });
  }
  const { name, version, os, osVersion } = text === undefined ? {} : parsed(text);
  if (typeof name !== "string" || typeof version !== "string") return null;
  const system = [os, osVersion].filter((word) => typeof word === "string").join(" ");
  return { name: safeName(name), version: safeName(version), os: system === "" ? null : safeName(system) };
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {}; // a note that is none
  }
}

const GO_MAGIC = "\xff Go buildinf:";
/** The strings follow the header at once: since Go 1.18. */
const INLINE_STRINGS = 2;

/** debug/buildinfo: version, then the module's description between two 16-byte marks. */
export function goOf(image: Image): (NonNullable<CrashModule["go"]> & { readonly goVersion: string }) | null {
  const section = image.sections.get(".go.buildinfo");
  const file = image.file;
  if (!section || !file) return null;
  const bytes = file.bytes(section.offset, Math.min(section.bytes, MAX_MODULE_INFO_BYTES));
  const magic = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 14)).toString("latin1");
  if (magic !== GO_MAGIC || ((bytes[15] ?? 0) & INLINE_STRINGS) === 0) return null;
  const cursor = new Cursor(bytes, image.header, 0, 32);
  const goVersion = textOf(cursor.take(cursor.uleb()));
  const about = textOf(cursor.take(cursor.uleb()).slice(16, -16));
  const line = (start: string): string | undefined =>
    about
      .split("\n")
      .find((each) => each.startsWith(start))
      ?.slice(start.length);
  const [module = "", version = ""] = (line("mod\t") ?? line("path\t") ?? "").split("\t");
  const revision = line("build\tvcs.revision=");
  return {
    module: safeName(module),
    version: safeName(version),
    revision: revision === undefined ? null : safeName(revision),
    goVersion: safeName(goVersion),
  };
}

/** Run-times of languages by the files that they are, where their stacks are not read yet: the name, and the version if the name has it. */
const RUNTIMES: readonly (readonly [RegExp, string])[] = [
  [/^libpython(3\.\d+)/, "python"],
  [/^python(3\.\d+)$/, "python"],
  [/^libjvm\.so/, "java"],
  [/^libcoreclr\.so/, "dotnet"],
  [/^libruby(?:-|\.so\.)(\d+\.\d+)/, "ruby"],
  [/^libnode\.so|^node$/, "node"],
  [/^libphp(\d+)?|^php(?:-fpm|-cgi)?(\d+\.\d+)?$/, "php"],
  [/^libperl\.so\.(\d+\.\d+)|^perl(5[.\d]+)?$/, "perl"],
  [/^beam(?:\.smp|\.emu)?$/, "erlang"],
];

/** @param path as it was mapped, perhaps with ` (deleted)` */
export function runtimeOf(path: string): { readonly name: string; readonly version: string | null } | null {
  const file = path.replace(/ \(deleted\)$/, "").replace(/^.*\//, "");
  for (const [pattern, name] of RUNTIMES) {
    const match = pattern.exec(file);
    if (match) return { name, version: match[1] ?? match[2] ?? null };
  }
  return null;
}
