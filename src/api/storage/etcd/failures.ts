/** What etcd, or the way to it, said no with. */
import type { ServiceError } from "@grpc/grpc-js";
import { DumpError, type FailureCode } from "../../../domain/failures.ts";

const INVALID_ARGUMENT = 3;
const DEADLINE_EXCEEDED = 4;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const OUT_OF_RANGE = 11;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

const MEANINGS: Readonly<Record<number, readonly [code: FailureCode, hint: string]>> = {
  [INVALID_ARGUMENT]: ["API_INVALID", "an object must stay below etcd's --max-request-bytes"],
  [DEADLINE_EXCEEDED]: ["STORAGE_UNAVAILABLE", "etcd does not answer in time: look at its disk and its load"],
  [PERMISSION_DENIED]: ["STORAGE_UNAVAILABLE", "let the user of --etcd-certfile read and write below --etcd-prefix"],
  [RESOURCE_EXHAUSTED]: ["STORAGE_UNAVAILABLE", "etcd is full: compact, defragment, then `etcdctl alarm disarm`"],
  [OUT_OF_RANGE]: ["API_GONE", "list again, and go on from there"], // compacted, or of the future
  [UNAUTHENTICATED]: ["STORAGE_UNAVAILABLE", "etcd wants to know us: give --etcd-certfile and --etcd-keyfile"],
};

export function etcdFailure(error: unknown, member: string): DumpError {
  const { code, details, message } = error as Partial<ServiceError>;
  const isTooLarge = code === RESOURCE_EXHAUSTED && /larger than max/.test(details ?? "");
  const [meaning, hint] = MEANINGS[isTooLarge ? INVALID_ARGUMENT : (code ?? UNAVAILABLE)] ?? [
    "STORAGE_UNAVAILABLE",
    "look at etcd's log",
  ];
  const words = (details || message || "it broke off").slice(0, 300);
  return new DumpError(meaning, `Cannot use etcd at ${member}: ${words}`, { cause: error, hint });
}

/** Whether another member may well be better off. */
export const isMembersOwn = (error: unknown): boolean =>
  [UNAVAILABLE, DEADLINE_EXCEEDED].includes((error as Partial<ServiceError>).code ?? UNAVAILABLE);
