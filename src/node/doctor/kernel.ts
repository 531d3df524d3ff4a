/** `doctor`: the kernel's version and settings, SELinux. */
import { ok, problem, type Step, warning } from "../install/step.ts";
import { kernelIsAtLeast, kernelVersion } from "../kernel/core-pattern.ts";

export interface KernelReading {
  readonly release: string;
  /** The kernel's own configuration (/proc/config.gz, /boot/config-…); undefined where it is kept nowhere. */
  readonly config: string | undefined;
}

export function checkKernel({ release, config }: KernelReading): Step {
  const version = kernelVersion(release).join(".");
  const helper = /^CONFIG_STATIC_USERMODEHELPER_PATH="(.*)"$/m.exec(config ?? "")?.[1];
  if (/^CONFIG_STATIC_USERMODEHELPER=y$/m.test(config ?? "")) {
    const text = `${version}, built with CONFIG_STATIC_USERMODEHELPER: it starts ${helper || "nothing"} in place of every handler`;
    return problem("kernel", text, "No pattern with | works here; take another kernel");
  }
  if (/^# CONFIG_COREDUMP is not set$/m.test(config ?? "")) {
    return problem(
      "kernel",
      `${version}, built without CONFIG_COREDUMP`,
      "It dumps no core at all; take another kernel",
    );
  }
  if (!kernelIsAtLeast(release, 5, 3)) {
    const text = `${version} splits the pattern after putting names in: a thread's name with a space becomes arguments`;
    const hint =
      "This version's pattern takes all of them for the name; where another is in force: coredump-detector install. Or Linux 5.3";
    return warning("kernel", text, hint);
  }
  return ok("kernel", `${version}, ${pidfdText(release)}, ${socketText(release)}`);
}

/** Nothing where root may read processes' memory. @param forbidden  ptraceForbidden() */
export const checkPtrace = (forbidden: string | undefined): Step[] =>
  forbidden === undefined
    ? []
    : [
        warning(
          "ptrace",
          `${forbidden}; every core comes through the pipe, which takes longer`,
          "Take it out of sysctl.d and reboot: a kernel does not take it back",
        ),
      ];

const pidfdText = (release: string): string =>
  kernelIsAtLeast(release, 6, 16) ? "%F supported" : "no %F before 6.16: the process is recognised by its start time";

const socketText = (release: string): string =>
  kernelIsAtLeast(release, 6, 17)
    ? "coredump sockets supported"
    : kernelIsAtLeast(release, 6, 16)
      ? "coredump sockets without a protocol"
      : "no coredump sockets";

export interface SelinuxReading {
  /** Content of /sys/fs/selinux/enforce; undefined without SELinux. */
  readonly enforce: string | undefined;
  /** Context of the handler's file, `system_u:object_r:bin_t:s0`. */
  readonly label: string | undefined;
}

/** Nothing where SELinux does not enforce. */
export function checkSelinux({ enforce, label }: SelinuxReading, binary: string): Step[] {
  if (enforce?.trim() !== "1") return [];
  const type = label?.split(":")[2];
  if (type === "bin_t") return [ok("selinux", "enforcing; the kernel may run bin_t")];
  const text = `enforcing: kernel_t may not be allowed to run the handler (${type ?? "its label cannot be read"})`;
  const hint = `See what doctor --self-test says; if it is refused: semanage fcontext -a -t bin_t '${binary}' && restorecon ${binary}`;
  return [warning("selinux", text, hint)];
}
