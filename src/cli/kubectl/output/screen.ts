/** A Coredump on one screen: what happened, what it means, what to do next. */
import { recordOf } from "../../../cluster/registration/coredump.ts";
import { refusalOf } from "../../../domain/refusal.ts";
import { printable } from "../../../domain/text.ts";
import type { Coredump } from "../../../kube/coredump.ts";
import { safeName, shortfall } from "../../output/describe.ts";
import { coreLines, pasteLines, screenOf } from "../../output/lines.ts";
import { colourOf } from "../../output/list.ts";
import { coloured } from "../../output/table.ts";

/** @param flags what the commands to paste need besides, with a blank in front */
export function screen(coredump: Coredump, flags = ""): string {
  const { metadata, status = {} } = coredump;
  const { state, complete, repeats } = status;
  const record = recordOf(coredump);
  const isSized = record.core.logicalBytes !== null || record.core.storedBytes !== null;
  return screenOf(record, {
    name: printable(metadata.name),
    words: [
      state === undefined ? "not ready" : coloured(colourOf(state), printable(state)),
      ...(complete === undefined ? [] : [complete ? "complete" : "incomplete"]),
      ...(state === "Saved" ? ["verified"] : []),
    ],
    Core: isSized ? coreLines(record, shortfall(record)) : [],
    Claim: [claim(coredump)],
    Repeats: [repeats ? `stands for ${repeats} older crashes of its kind` : undefined],
    ...nextAndNote(coredump, flags),
  });
}

/** The copy for the pod's own claim, where its owner wants one. */
function claim({ status }: Coredump): string | undefined {
  const delivered = status?.conditions?.find(({ type }) => type === "Delivered");
  if (!delivered) return undefined;
  const word = { True: "delivered", False: "not delivered", Unknown: "not there yet" }[delivered.status] ?? "unknown";
  return printable([word, delivered.message?.replace(/^(for )?claim /, "claim ")].filter(Boolean).join(", "));
}

function nextAndNote(coredump: Coredump, flags: string) {
  const refusal = refusalOf(coredump);
  if (refusal) return { Note: [printable(refusal.message)], Next: [refusal.hint && printable(refusal.hint)] };
  const { metadata, spec, status = {} } = coredump;
  const { reason, message } = status;
  const file = `${safeName(spec.filename ?? "")}.core`;
  return {
    Note: [message && printable(reason ? `${reason}: ${message}` : message)],
    Next: pasteLines([
      [`kubectl coredump debug ${metadata.name}${flags}`, "open it in gdb with the image's files"],
      [`kubectl coredump dump ${metadata.name} ${file}${flags}`, "download the core"],
    ]),
  };
}
