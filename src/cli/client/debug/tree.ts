/** An image's file system to look things up in. Names and links are hostile: a link is followed here, never by the kernel. */

export type Node =
  /** `path` is where its bytes are on this machine; `own`: a file of ours, which may get another name. */
  | { readonly kind: "file"; readonly path: string; readonly own: boolean }
  | { readonly kind: "link"; readonly to: string }
  | { readonly kind: "folder" };

/** A path as its parts: none of them is empty, `.` or `..`. */
export type PathParts = readonly string[];

export interface Tree {
  /** What is there; the parts before the last are folders. Devices, sockets and pipes are not there. */
  look(parts: PathParts): Node | undefined;
  /** Names in a folder. */
  names(parts: PathParts): readonly string[];
}

/** As the kernel's own limit. */
const MAX_LINKS = 40;

export interface FoundPath {
  /** Without links. */
  readonly parts: PathParts;
  /** Undefined for a folder. */
  readonly file: Extract<Node, { kind: "file" }> | undefined;
}

/** What a path leads to when the tree's root is `/`: a link or `..` never leads out of it. */
export function resolved(tree: Tree, path: string): FoundPath | undefined {
  const left = path.split("/").reverse();
  let at: string[] = [];
  let file: FoundPath["file"];
  for (let links = 0; left.length > 0; ) {
    const part = left.pop() ?? "";
    if (part === "" || part === ".") continue;
    if (file) return undefined; // it is not a folder
    if (part === "..") {
      at.pop();
      continue;
    }
    const node = tree.look([...at, part]);
    if (!node) return undefined;
    if (node.kind === "link") {
      if (++links > MAX_LINKS) return undefined;
      if (node.to.startsWith("/")) at = [];
      left.push(...node.to.split("/").reverse());
      continue;
    }
    at = [...at, part];
    if (node.kind === "file") file = node;
  }
  return { parts: at, file };
}
