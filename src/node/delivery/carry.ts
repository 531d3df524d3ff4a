/** One delivery from end to end, in a process that may hang, change its ids and be killed. */
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { CLAIM_MOUNT_PATH } from "../../domain/claim.ts";
import { errnoOf, reasonOf } from "../../domain/failures.ts";
import { storedIds } from "./ids.ts";
import { type DeliveryJob, type DeliveryOutcome, type Ids, Undeliverable } from "./job.ts";
import { openPlace } from "./place.ts";
import { type Core, putCore } from "./put.ts";

/** Never throws. @param onPiece called now and then while bytes move */
export function carry(job: DeliveryJob, onPiece: () => void): DeliveryOutcome {
  const opened: number[] = [];
  try {
    const ids = storedIds(job);
    const core = openCore(job);
    opened.push(core.fd);
    const place = openPlace(job.mount);
    opened.push(place);
    putAs(ids, (owner) => putCore(place, job.name, core, owner, onPiece));
    return { reason: "Delivered", message: `${CLAIM_MOUNT_PATH}/${job.name} of container ${job.mount.container}` };
  } catch (error) {
    return error instanceof Undeliverable ? error.outcome : byErrno(error);
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

function openCore({ core, coreBytes }: DeliveryJob): Core {
  try {
    const fd = openSync(core, constants.O_RDONLY | constants.O_NOFOLLOW);
    const { size } = fstatSync(fd);
    if (size === coreBytes) return { fd, bytes: size };
    closeSync(fd);
  } catch (error) {
    if (!errnoOf(error)) throw error;
  }
  throw new Undeliverable("CoreGone", "the core is not in the cache any more");
}

/** Root, or what may be done in its name, has no rights in this volume: `root_squash`, or a mount without an id for it. */
const NOT_ROOTS: ReadonlySet<string> = new Set(["EACCES", "EPERM", "EOVERFLOW"]);

/** As root, who makes the file and gives it away; where the volume does not take that, as the process's own user. */
function putAs(ids: Ids, put: (owner: Ids | undefined) => void): void {
  try {
    put(ids);
  } catch (error) {
    if (!NOT_ROOTS.has(errnoOf(error) ?? "") || ids.uid === 0) throw error;
    // Of the whole process, not of a thread: it has nothing else to do.
    process.setgroups?.([...ids.groups]);
    process.setegid?.(ids.gid);
    process.seteuid?.(ids.uid);
    put(undefined);
  }
}

const ESTALE = -116;

function byErrno(error: unknown): DeliveryOutcome {
  const isStale = (error as { errno?: unknown }).errno === ESTALE; // libuv has no name for it
  const message = isStale ? "the volume's server does not know the folder any more (ESTALE)" : reasonOf(error);
  switch (errnoOf(error)) {
    case "EROFS":
      return { reason: "ReadOnly", message: "the volume is read-only", mayPass: false };
    case "EACCES":
    case "EPERM":
    case "EOVERFLOW":
      return {
        reason: "AccessDenied",
        message: `neither root nor the process's user may write there: ${message}`,
        mayPass: false,
      };
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return { reason: "VolumeFull", message: `the volume takes no more: ${message}`, mayPass: true };
    default:
      return { reason: "WriteFailed", message, mayPass: true };
  }
}
