/** An OCI image layout (image-spec 1.1) out of roots that are packed: blobs by their digests, and what leads to them. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const OCI = "application/vnd.oci.image";

/** One machine's image: `debian` is also what Go, and so OCI, calls it. */
export interface Root {
  readonly architecture: string;
  readonly tar: string;
}

export interface Labels {
  readonly name: string;
  readonly version: string;
  readonly revision: string;
  /** Of the commit, so that the same sources give the same digest. */
  readonly created: string;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** Fills `folder`. @returns the digest of the image, for all its machines */
export function writeLayout(folder: string, roots: readonly Root[], user: number, labels: Labels): string {
  const blobs = join(folder, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const blob = (mediaType: string, content: object | Buffer): Descriptor => {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const hex = sha256(bytes);
    writeFileSync(join(blobs, hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const annotations = annotationsOf(labels);
  const manifests = roots.map(({ architecture, tar }) => {
    const plain = readFileSync(tar);
    const layer = blob(`${OCI}.layer.v1.tar+gzip`, gzipSync(plain));
    const config = blob(`${OCI}.config.v1+json`, configOf(architecture, plain, user, labels));
    const manifest = { schemaVersion: 2, mediaType: `${OCI}.manifest.v1+json`, config, layers: [layer], annotations };
    return { ...blob(manifest.mediaType, manifest), platform: { architecture, os: "linux" } };
  });
  const index = { schemaVersion: 2, mediaType: `${OCI}.index.v1+json`, manifests, annotations };
  const image = blob(index.mediaType, index);
  const named = {
    "io.containerd.image.name": `${labels.name}:${labels.version}`,
    [`${SPEC}.ref.name`]: labels.version,
  };
  const top = { ...index, manifests: [{ ...image, annotations: named }], annotations: undefined };
  writeFileSync(join(folder, "index.json"), JSON.stringify(top));
  writeFileSync(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  return image.digest;
}

const SPEC = "org.opencontainers.image";

const annotationsOf = ({ version, revision, created }: Labels): Record<string, string> => ({
  [`${SPEC}.title`]: "coredump-detector",
  [`${SPEC}.description`]: "Core dumps of containers: captured whole, named after their pod",
  [`${SPEC}.licenses`]: "Apache-2.0",
  [`${SPEC}.version`]: version,
  [`${SPEC}.revision`]: revision,
  [`${SPEC}.created`]: created,
});

const configOf = (architecture: string, plain: Buffer, user: number, labels: Labels): object => ({
  created: labels.created,
  architecture,
  os: "linux",
  config: {
    User: `${user}:${user}`,
    Entrypoint: ["/coredump/coredump-detector"],
    WorkingDir: "/",
    Labels: annotationsOf(labels),
  },
  rootfs: { type: "layers", diff_ids: [`sha256:${sha256(plain)}`] },
  history: [{ created: labels.created, created_by: "install/image/image.sh" }],
});

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
