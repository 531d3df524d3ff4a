/** One Coredump on one screen: what happened, what it means, what to do next. */

import { crashFrom } from "../../../domain/crash.ts";
import { refusalOf } from "../../../domain/refusal.ts";
import { signalCodeText } from "../../../domain/signals.ts";
import { printable } from "../../../domain/text.ts";
import { formatDuration } from "../../../domain/units.ts";
import type { Coredump } from "../../../kube/coredump.ts";
import { crashLines, stackLines } from "../../output/crash.ts";
import { programName, safeName } from "../../output/describe.ts";
import { colourOf } from "../../output/list.ts";
import { coloured } from "../../output/table.ts";
import { displayWidth } from "../../output/width.ts";
import { sizeWords } from "./quantity.ts";

/**
 * A heading and the lines under it; a label without lines is left out.
 * @param flags what the commands to paste need besides, with a blank in front
 */
export function screen(coredump: Coredump, flags = ""): string {
  const { crash: told } = coredump.status ?? {};
  const crash = crashFrom(told);
  const parts: readonly (readonly [string, readonly (string | undefined)[]])[] = [
    ["What", what(coredump)],
    ["Crash", crash ? crashLines(crash) : []],
    ["Stack", crash ? stackLines(crash).map((line) => line.trim()) : []],
    ["Where", [where(coredump)]],
    ["Image", [image(coredump)]],
    ["When", [when(coredump)]],
    ["Core", core(coredump)],
    ["Claim", [claim(coredump)]],
    ["Held up", [heldUp(coredump)]],
    ["Stored", [stored(coredump)]],
    ["Repeats", [repeats(coredump)]],
    ["Note", [note(coredump)]],
    ["Next", next(coredump, flags)],
  ];
  const lines = parts.flatMap(([label, texts]) =>
    texts.filter((text) => text !== undefined).map((text, at) => `  ${(at === 0 ? label : "").padEnd(9)} ${text}\n`),
  );
  return [heading(coredump), ...lines].join("");
}

function heading({ metadata, status = {} }: Coredump): string {
  const { state, complete } = status;
  const words = [
    state === undefined ? "not ready" : coloured(colourOf(state), printable(state)),
    ...(complete === undefined ? [] : [complete ? "complete" : "incomplete"]),
    ...(state === "Saved" ? ["verified"] : []),
  ];
  const name = printable(metadata.name);
  return `${coloured("bold", name)}${" ".repeat(Math.max(2, 60 - name.length))}${words.join(", ")}\n`;
}

function what({ spec, status = {} }: Coredump): string[] {
  const { signal, filename = "a process", comm } = spec;
  const { signalCode, faultAddress, threads = [], threadCount = 0 } = status;
  const code = signal && signalCode !== undefined ? signalCodeText(signal.number, signalCode) : undefined;
  const words = [
    `${programName(filename, comm)} was killed by ${printable(signal?.name ?? "an unknown signal")}`,
    ...(code === undefined ? [] : [`(${code})`]),
    ...(faultAddress === undefined ? [] : [`at ${printable(faultAddress)}`]),
  ];
  const crashed = threads.find((thread) => thread.crashed);
  const name = crashed?.name ? ` "${printable(crashed.name)}"` : "";
  return [
    words.join(" ") + (crashed && threadCount > 1 ? `, thread ${crashed.tid}${name}, one of ${threadCount}` : ""),
  ];
}

function where({ metadata, spec }: Coredump): string {
  const attempt = spec.attempt === undefined ? "" : ` (attempt ${spec.attempt})`;
  const parts = [
    `namespace ${metadata.namespace ?? "unknown"}`,
    `pod ${spec.pod ?? "unknown"}`,
    `container ${spec.containerName ?? "unknown"}${attempt}`,
    `node ${spec.node ?? "unknown"}`,
  ];
  return printable(parts.join(", "));
}

const image = ({ spec: { image, imageDigest } }: Coredump): string | undefined =>
  image === undefined && imageDigest === undefined
    ? undefined
    : printable([image, imageDigest].filter(Boolean).join(" "));

function when({ spec: { dumptime, processUptimeMs } }: Coredump): string | undefined {
  if (dumptime === undefined) return undefined;
  const up = processUptimeMs === undefined ? "" : `, process was up ${formatDuration(processUptimeMs)}`;
  return printable(dumptime.replace("T", " ")) + up;
}

function core({ spec, status = {} }: Coredump): (string | undefined)[] {
  const { logicalSize, expectedSize, complete, checksum } = status;
  if (logicalSize === undefined && spec.size === undefined) return [];
  const length = expectedSize ?? logicalSize;
  const proof =
    complete === undefined
      ? "completeness not known yet"
      : complete
        ? "expected size reached"
        : `cut short at ${sizeWords(logicalSize)} of ${sizeWords(expectedSize)}`;
  return [
    `${sizeWords(spec.size)} held${length === undefined ? "" : ` of a file of ${sizeWords(length)}`}, ${proof}`,
    checksum === undefined ? undefined : printable(checksum.replace(":", " ")),
  ];
}

/** The copy for the pod's own claim, where its owner wants one. */
function claim({ status }: Coredump): string | undefined {
  const told = status?.conditions?.find(({ type }) => type === "Delivered");
  if (!told) return undefined;
  const word = { True: "delivered", False: "not delivered", Unknown: "not there yet" }[told.status] ?? "unknown";
  return printable([word, told.message?.replace(/^(for )?claim /, "claim ")].filter(Boolean).join(", "));
}

const heldUp = ({ status }: Coredump): string | undefined =>
  status?.heldMs === undefined ? undefined : `the container's restart for ${formatDuration(status.heldMs)}`;

function stored({ spec: { volume }, status = {} }: Coredump): string | undefined {
  if (status.state !== "Saved" || volume === undefined || status.key === undefined) return undefined;
  return `${printable(`${volume.replace(/\/$/, "")}/${status.key}`)} (${sizeWords(status.bundleSize)})`;
}

const repeats = ({ status }: Coredump): string | undefined =>
  status?.repeats ? `stands for ${status.repeats} older crashes of its kind` : undefined;

function note(coredump: Coredump): string | undefined {
  const refusal = refusalOf(coredump);
  const { reason, message } = coredump.status ?? {};
  if (refusal) return printable(refusal.message);
  return message === undefined || message === "" ? undefined : printable(reason ? `${reason}: ${message}` : message);
}

/** Commands to paste. */
function next(coredump: Coredump, flags: string): string[] {
  const refusal = refusalOf(coredump);
  if (refusal) return refusal.hint === undefined ? [] : [printable(refusal.hint)];
  const { name } = coredump.metadata;
  const file = `${safeName(coredump.spec.filename ?? "")}.core`;
  const steps = [
    [`kubectl coredump debug ${name}${flags}`, "open it in gdb with the image's files"],
    [`kubectl coredump dump ${name} ${file}${flags}`, "download the core"],
  ] as const;
  const width = Math.max(...steps.map(([step]) => displayWidth(step)));
  return steps.map(([step, why]) => `${step.padEnd(width)}   ${why}`);
}
