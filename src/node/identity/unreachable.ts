/** Why a socket cannot be reached, in words. */
import { errnoOf, reasonOf } from "../../domain/failures.ts";

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such socket",
  ENOTSOCK: "it is not a socket",
  ECONNREFUSED: "nothing listens there",
  EAGAIN: "too many wait for it already",
  ECONNRESET: "it hung up",
  EPIPE: "it hung up",
  EACCES: "permission denied",
};

/** Why an engine could not be reached, for people. */
export const whyUnreachable = (error: unknown): string => WORDS[errnoOf(error) ?? ""] ?? reasonOf(error);
