/** Hostile images: whatever their names and links say, nothing outside is reached, and nothing is made where a name says. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { type Header, pack } from "tar-stream";
import { FolderTree } from "../../../src/cli/client/debug/folder-tree.ts";
import { TarTree } from "../../../src/cli/client/debug/tar-tree.ts";
import { resolved, type Tree } from "../../../src/cli/client/debug/tree.ts";
import { viewOf } from "../../../src/cli/client/debug/view.ts";
import { tempDir } from "../../support/tmp.ts";

const ELF = Buffer.concat([Buffer.from("\x7fELF\x02\x01\x01", "latin1"), Buffer.alloc(64)]);

async function tarOf(
  entries: readonly (Partial<Header> & { readonly name: string } & { readonly content?: Buffer })[],
  folder: string,
): Promise<TarTree> {
  const tar = pack();
  for (const { content, ...header } of entries) {
    if (content) tar.entry(header, content);
    else tar.entry(header);
  }
  tar.finalize();
  return await TarTree.read(Readable.from(tar), folder);
}

const links: readonly { path: string; to: string | undefined }[] = [
  { path: "/lib/x.so", to: "usr/lib/x.so" },
  { path: "/absolute", to: "usr/lib/x.so" },
  { path: "/up", to: "usr/lib/x.so" }, // ../../../../usr/lib/x.so: the root is its own parent
  { path: "/usr/lib/../lib/./x.so", to: "usr/lib/x.so" },
  { path: "/out", to: undefined }, // the machine's /etc/passwd
  { path: "/round", to: undefined }, // to itself
  { path: "/usr/lib/x.so/y", to: undefined }, // below a file
  { path: "/dev/null", to: undefined },
];
for (const kind of ["FolderTree", "TarTree"]) {
  test(`resolved() of a ${kind} stays in it`, async () => {
    using folder = tempDir();
    const tree = kind === "TarTree" ? await inTar(folder.path) : inFolder(folder.path);
    for (const { path, to } of links) assert.equal(resolved(tree, path)?.parts.join("/"), to, path);
  });
}

function inFolder(root: string): Tree {
  mkdirSync(join(root, "usr/lib"), { recursive: true });
  writeFileSync(join(root, "usr/lib/x.so"), ELF);
  for (const [name, to] of LINKS) symlinkSync(to, join(root, name));
  return new FolderTree(root);
}

const LINKS = [
  ["lib", "/usr/lib"],
  ["absolute", "/lib/x.so"],
  ["up", "../../../../usr/lib/x.so"],
  ["out", "../../../../etc/passwd"],
  ["round", "round"],
] as const;

const inTar = (folder: string): Promise<Tree> =>
  tarOf(
    [
      { name: "usr/lib/x.so", content: ELF },
      { name: "dev/null", type: "character-device" },
      ...LINKS.map(([name, linkname]) => ({ name, type: "symlink" as const, linkname })),
    ],
    folder,
  );

test("TarTree makes files of numbers only, whatever the names", async () => {
  using folder = tempDir();
  const work = join(folder.path, "work");
  mkdirSync(work);
  const tree = await tarOf(
    [
      { name: "../../escaped", content: ELF },
      { name: "/etc/absolute", content: ELF },
      { name: "a", type: "symlink", linkname: "/tmp" },
      { name: "a/through-a-link", content: ELF },
      { name: "hard", type: "link", linkname: "etc/absolute" },
      { name: "text", content: Buffer.from("no ELF file") },
      { name: "short", content: Buffer.from("\x7fEL") },
      { name: "fifo", type: "fifo" },
      { name: "block", type: "block-device" },
    ],
    work,
  );
  assert.deepEqual(readdirSync(folder.path), ["work"]);
  assert.deepEqual(readdirSync(work).sort(), ["1", "2", "4"]);
  for (const path of ["/escaped", "/etc/absolute", "/a/through-a-link", "/hard"])
    assert.equal(resolved(tree, path)?.file?.kind, "file", path);
  for (const path of ["/text", "/short", "/fifo", "/block"]) assert.equal(resolved(tree, path), undefined);
});

test("TarTree.read() of a tar that is cut short is an error", async () => {
  using folder = tempDir();
  const tar = pack();
  tar.entry({ name: "x" }, Buffer.alloc(5000, 1));
  tar.finalize();
  const bytes = Buffer.concat(await Array.fromAsync(tar as AsyncIterable<Buffer>));
  await assert.rejects(TarTree.read(Readable.from([bytes.subarray(0, 2000)]), folder.path));
});

/** Names that mean something to a file system, and such that do not. */
const part = fc.constantFrom("a", "b", "lib", "usr", "..", ".", "", "x y", "\n", "é", "-rf", "etc");
const path = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("/"));
const entry = fc.record({
  name: path,
  type: fc.constantFrom("file", "symlink", "directory", "link" as const),
  linkname: fc.oneof(
    path,
    path.map((each) => `/${each}`),
  ),
});

test("viewOf() links to nothing but the image's own files, whatever image and core say", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 12 }), fc.array(path, { maxLength: 6 }), async (entries, paths) => {
      using folder = tempDir();
      const [files, view] = [join(folder.path, "files"), join(folder.path, "view")];
      for (const each of [files, view]) mkdirSync(each);
      const tree = await tarOf(
        entries
          .filter(({ name }) => name.replace(/[./]/g, "") !== "")
          .map(({ name, type, linkname }) =>
            type === "file" ? { name, content: ELF } : { name, type: type as "symlink", linkname },
          ),
        files,
      );
      const mapped = paths.map((each) => ({ path: `/${each}`, isElf: true, buildId: undefined, isExecutable: false }));
      viewOf(tree, mapped, view);
      assert.deepEqual(readdirSync(folder.path).sort(), ["files", "view"]);
      for (const found of readdirSync(view, { recursive: true, withFileTypes: true })) {
        const real = realpathSync(join(found.parentPath, found.name));
        assert.ok(real.startsWith(folder.path), real);
        if (found.isFile()) assert.ok(readFileSync(real).equals(ELF));
      }
    }),
    { numRuns: 100 },
  );
});
