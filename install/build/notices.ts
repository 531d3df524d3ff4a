/** The licences of what goes along: Node.js, the npm packages in the bundle, Debian's libraries. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { ROOT } from "./target.ts";

interface Part {
  readonly name: string;
  readonly text: string;
}

/** One text, by name. `npm`: folders below the project; `debian`: unpacked packages, `{name}_{version}_{arch}`. */
export function noticesOf(npm: readonly string[], debian: readonly string[]): string {
  const node: Part = { name: `Node.js ${process.version}`, text: licenceIn(`node_modules/node-linux-${process.arch}`) };
  // Debian's copyright files name these and do not repeat them.
  const common = ["GPL-3", "LGPL-2.1"]
    .map((name) => `/usr/share/common-licenses/${name}`)
    .filter((file) => existsSync(file));
  const texts = common.map((file) => ({ name: basename(file), text: readFileSync(file, "utf8") }));
  const parts = [node, ...npm.map(npmPart), ...debian.flatMap(debianParts), ...texts];
  return parts.map(({ name, text }) => `${"=".repeat(80)}\n${name}\n${"=".repeat(80)}\n${text.trim()}\n`).join("\n");
}

function npmPart(folder: string): Part {
  const { name, version, license = "see below" } = JSON.parse(readFileSync(join(ROOT, folder, "package.json"), "utf8"));
  return { name: `${name} ${version} (${license})`, text: licenceIn(folder) };
}

/** A package's licence file; some packages have none and only name one in package.json. */
function licenceIn(folder: string): string {
  const files = globSync("*", { cwd: join(ROOT, folder) }).filter((name) => /^(licen[cs]e|copying)/i.test(name));
  return files
    .sort()
    .map((file) => readFileSync(join(ROOT, folder, file), "utf8"))
    .join("\n");
}

/** Only some packages bring the file: GCC's libraries share that of `gcc-N-base`. */
function debianParts(folder: string): Part[] {
  const files = globSync("usr/share/doc/*/copyright", { cwd: folder });
  return files.map((file) => ({ name: `Debian ${basename(folder)}`, text: readFileSync(join(folder, file), "utf8") }));
}
