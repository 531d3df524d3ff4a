/** The shared libraries that go beside the executable, out of Debian's packages. */
import { copyFileSync, existsSync, globSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { DumpError } from "../../src/domain/failures.ts";
import { MACHINES, ROOT, type Target } from "./target.ts";
import { run } from "./tools.ts";

/** What Node's executable needs and a minimal host lacks. */
const RUNTIME = {
  "libstdc++6": ["libstdc++.so.6"],
  "libgcc-s1": ["libgcc_s.so.1"],
  libatomic1: ["libatomic.so.1"],
} as const;

/** What a host without glibc lacks as well; the loader's name is the machine's. */
const LIBC = ["libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0"] as const;

/**
 * The releases to take them from, best first, and the package with GCC's licence there. With the host's libc the oldest:
 * its libstdc++ asks only for glibc 2.18, Debian 12's for 2.36, and Node itself for 2.28. With our own the newest, for its fixes.
 */
const RELEASES = {
  host: { bullseye: "gcc-10-base", bookworm: "gcc-12-base" },
  own: { bookworm: "gcc-12-base" },
} as const;

/** Folders of unpacked packages, `…/{package}_{version}_{arch}`; fetched once. */
export function fetchPackages({ arch, libc }: Pick<Target, "arch" | "libc">): string[] {
  const { debian } = MACHINES[arch];
  let failure: unknown;
  for (const [release, licence] of Object.entries(RELEASES[libc])) {
    const folder = join(ROOT, ".cache/debian", `${release}-${debian}-${libc}`);
    const packages = [...Object.keys(RUNTIME), licence, ...(libc === "own" ? ["libc6"] : [])];
    try {
      if (!existsSync(folder)) download(folder, release, debian, packages);
      return readdirSync(folder).map((name) => join(folder, name));
    } catch (error) {
      failure ??= error; // an old release leaves the mirrors one day
      console.error(
        `warning: cannot take the libraries from Debian ${release}; a later one asks for a later glibc on the host`,
      );
    }
  }
  throw failure;
}

/** Copies the libraries to `lib`, as their sonames. */
export function copyLibraries(target: Target, packages: readonly string[], lib: string): void {
  const { triplet, loader } = MACHINES[target.arch];
  const wanted = [...Object.values(RUNTIME).flat(), ...(target.libc === "own" ? [...LIBC, loader] : [])];
  mkdirSync(lib, { recursive: true });
  for (const name of wanted) {
    const found = packages.flatMap((root) => globSync(join(root, `{usr/,}lib/${triplet}/${name}`)))[0];
    if (found === undefined)
      throw new DumpError("UNEXPECTED", `Cannot find ${name} in ${packages.map((p) => basename(p))}`);
    copyFileSync(found, join(lib, name));
  }
}

/** By apt with lists of its own: the machine's state stays as it is, foreign architectures work, signatures are checked. */
function download(folder: string, release: string, debian: string, packages: readonly string[]): void {
  const part = `${folder}.${process.pid}.part`;
  using _ = { [Symbol.dispose]: () => rmSync(part, { recursive: true, force: true }) };
  const apt = join(part, "apt");
  for (const each of ["lists/partial", "cache/archives/partial"]) mkdirSync(join(apt, each), { recursive: true });
  writeFileSync(join(apt, "status"), "");
  const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
  writeFileSync(join(apt, "sources.list"), `deb [signed-by=${keyring}] ${mirror()} ${release} main\n`);
  const settings = {
    "APT::Architecture": debian,
    "APT::Architectures": debian,
    "APT::Sandbox::User": "root",
    "Acquire::Languages": "none",
    "Dir::Etc::SourceList": join(apt, "sources.list"),
    "Dir::Etc::SourceParts": "-",
    "Dir::State::Lists": join(apt, "lists"),
    "Dir::State::status": join(apt, "status"),
    "Dir::Cache": join(apt, "cache"),
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  run("apt-get", ["-q", ...options, "update", "--error-on=any"]);
  run("apt-get", ["-q", ...options, "download", ...packages], { cwd: part });
  rmSync(apt, { recursive: true });
  for (const deb of globSync(join(part, "*.deb"))) {
    run("dpkg-deb", ["-x", deb, deb.slice(0, -".deb".length)]);
    rmSync(deb);
  }
  rmSync(folder, { recursive: true, force: true });
  renameSync(part, folder);
}

/** The Debian mirror that this machine already uses for its own packages. */
function mirror(): string {
  const given = process.env["DEBIAN_MIRROR"] ?? mirrorInSources();
  if (given !== undefined) return given;
  run("apt-get", ["-q", "update"]); // a fresh machine does not know yet whose its sources are
  const found = mirrorInSources();
  if (found !== undefined) return found;
  throw new DumpError("UNEXPECTED", "Cannot find a Debian mirror in apt's sources", { hint: "Set DEBIAN_MIRROR" });
}

function mirrorInSources(): string | undefined {
  const format = ["--format", "$(ORIGIN) $(RELEASE) $(SITE)", "Created-By: Packages"];
  return /^Debian [a-z]+ (\S+)$/m.exec(run("apt-get", ["indextargets", ...format]))?.[1];
}
