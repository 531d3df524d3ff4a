/** `aws-upload ENDPOINT BUCKET KEY < bytes`: what the AWS SDK's own uploader does: parts of 5 MiB, four at once. */
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";

const PART_BYTES = 5 << 20;
const AT_ONCE = 4;

const [endpoint = "", Bucket = "", Key = ""] = process.argv.slice(2);
const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true });
const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm: "CRC32" }));
const parts: { PartNumber: number; ETag: string | undefined; ChecksumCRC32: string | undefined }[] = [];
const underWay = new Set<Promise<unknown>>();

async function send(Body: Buffer, PartNumber: number): Promise<void> {
  const answer = await client.send(
    new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body, ChecksumAlgorithm: "CRC32" }),
  );
  parts[PartNumber - 1] = { PartNumber, ETag: answer.ETag, ChecksumCRC32: answer.ChecksumCRC32 };
}

async function begin(body: Buffer, number: number): Promise<void> {
  const sending = send(body, number).finally(() => underWay.delete(sending));
  underWay.add(sending);
  if (underWay.size >= AT_ONCE) await Promise.race(underWay);
}

let [chunks, bytes, number]: [Buffer[], number, number] = [[], 0, 0];
for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
  chunks.push(chunk);
  bytes += chunk.length;
  while (bytes >= PART_BYTES) {
    const all = Buffer.concat(chunks);
    await begin(all.subarray(0, PART_BYTES), ++number);
    chunks = [all.subarray(PART_BYTES)];
    bytes -= PART_BYTES;
  }
}
await begin(Buffer.concat(chunks), ++number);
await Promise.all(underWay);
await client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts: parts } }));
