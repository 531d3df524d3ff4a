/**
 * bundle.ts CHANGE RUNC_ARGUMENTS…   change a container's bundle (config.json) before runc reads it.
 *   names      the cgroup gets the path that systemd's driver would give it, without a systemd
 *   no-limits  nothing is limited: needed where cgroup v2 has no controllers
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** `a-b.slice` lies in `a.slice`: the path of a slice is in its name. */
function slicePath(slice: string): string {
  const parts = slice.replace(/\.slice$/, "").split("-");
  return parts.map((_, i) => `/${parts.slice(0, i + 1).join("-")}.slice`).join("");
}

/** What systemd's driver would make of the path that an engine without it hands to runc. */
function systemdPath(path: string): string {
  const [slice, prefix, id] = path.split(":");
  if (slice !== undefined && id !== undefined) return `${slicePath(slice)}/${prefix}-${id}.scope`;
  const docker = /^\/docker\/([0-9a-f]{64})$/.exec(path);
  if (docker) return `/system.slice/docker-${docker[1]}.scope`;
  const pod = /^\/kubepods(?:\/(burstable|besteffort))?\/pod([^/]+)\/([0-9a-f]{64})$/.exec(path);
  if (!pod) return path;
  const quality = pod[1] ? `${pod[1]}-` : "";
  return `${slicePath(`kubepods-${quality}pod${pod[2]?.replaceAll("-", "_")}.slice`)}/cri-containerd-${pod[3]}.scope`;
}

const [change, ...runc] = process.argv.slice(2);
const file = join(runc[runc.indexOf("--bundle") + 1] ?? ".", "config.json");
const config = JSON.parse(readFileSync(file, "utf8"));
if (change === "names") config.linux.cgroupsPath = systemdPath(config.linux.cgroupsPath);
else config.linux.resources = { devices: config.linux.resources?.devices ?? [] };
writeFileSync(file, JSON.stringify(config));
