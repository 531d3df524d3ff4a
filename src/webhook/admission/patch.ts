/**
 * What a new pod needs so that its cores can come into its own claim. Pure: the pod as the API server has it, in; the fewest
 * additions as JSON Patch (RFC 6902), or a denial, out. Run over its own result it finds nothing to do, because the API
 * server calls again (reinvocationPolicy) and people apply what they have read.
 */
import {
  CLAIM_ANNOTATION,
  CLAIM_MOUNT_PATH,
  type ClaimContainer,
  type ClaimPod,
  claimOf,
  type EnvVar,
  isVolumeOf,
  placeOf,
  type Volume,
  type VolumeMount,
  volumeNameFor,
} from "../../domain/claim.ts";

export interface Addition {
  readonly op: "add";
  readonly path: string;
  readonly value: unknown;
}

export type PodVerdict =
  | { readonly kind: "untouched" }
  | { readonly kind: "denied"; readonly message: string }
  | { readonly kind: "patched"; readonly additions: readonly Addition[] };

const NODE_SELECTOR = "coredump";
/** The pod's name, from the downward API: the API server makes it after our answer when there is only a generateName. */
const POD_NAME = "COREDUMP_POD_NAME";
const POD_NAME_FIELD = "metadata.name";
/** Of Kubernetes: a DNS subdomain. */
const MAX_NAME = 253;
/** No node runs a pod of so many; what is added is repeated for each. */
const MAX_CONTAINERS = 1000;

/** What all containers of a pod get. */
interface Grant {
  readonly claim: string;
  /** Of the volume that is mounted. */
  readonly volume: string;
  /** All of the pod's volumes of that claim that can be written. */
  readonly volumes: ReadonlySet<string | undefined>;
  readonly podName: string | undefined;
}

/** In time and size linear in the pod's: it is whatever a tenant sends, and not validated yet. */
export function judgePod(pod: ClaimPod): PodVerdict {
  const claim = claimOf(pod);
  if (claim === undefined || isTooLong(claim, pod.metadata?.name)) return { kind: "untouched" };
  const volumes = listOf(pod.spec?.volumes);
  const names = volumes.map(({ name }) => name);
  const known = volumes.filter((volume) => isVolumeOf(claim, volume));
  const writable = known.filter((volume) => !volume.persistentVolumeClaim?.readOnly).map(({ name }) => name);
  const volume = writable[0] ?? volumeNameFor(claim, names);
  const grant = { claim, volume, volumes: new Set(writable), podName: pod.metadata?.name || undefined };
  const message =
    sizeDenial(pod) ??
    selectorDenial(pod) ??
    mountDenial(pod, grant) ??
    (writable[0] ? undefined : readOnlyDenial(claim, known[0]));
  if (message !== undefined) return { kind: "denied", message };
  const newVolume = { name: volume, persistentVolumeClaim: { claimName: claim } };
  const additions = [
    ...(known.length > 0 ? [] : [append("/spec/volumes", volumes, newVolume)]),
    ...containersOf(pod).flatMap(({ path, container }) => additionsTo(container, path, grant)),
    ...selectorAdditions(pod),
  ];
  return additions.length > 0 ? { kind: "patched", additions } : { kind: "untouched" };
}

/** Names that the API server refuses after us: nothing is made of them that would be repeated for each container. */
const isTooLong = (...names: readonly (string | undefined)[]): boolean =>
  names.some((name) => name !== undefined && name.length > MAX_NAME);

function sizeDenial({ spec }: ClaimPod): string | undefined {
  const count = listOf(spec?.initContainers).length + listOf(spec?.containers).length;
  return count > MAX_CONTAINERS
    ? `Cannot mount the claim in ${count} containers: ${MAX_CONTAINERS} are the most; remove the annotation ${CLAIM_ANNOTATION}`
    : undefined;
}

const containersOf = ({ spec }: ClaimPod): { path: string; container: ClaimContainer }[] =>
  (["initContainers", "containers"] as const).flatMap((field) =>
    listOf(spec?.[field]).map((container, index) => ({ path: `/spec/${field}/${index}`, container })),
  );

function additionsTo(container: ClaimContainer, path: string, { volume, volumes, podName }: Grant): Addition[] {
  const mounts = listOf(container.volumeMounts);
  const variables = new Variables(container);
  if (mounts.some((mount) => isServed(mount, container, variables, { volumes, podName }))) return [];
  const mount = { name: volume, mountPath: CLAIM_MOUNT_PATH };
  const mounted = (more: object) => append(`${path}/volumeMounts`, mounts, { ...mount, ...more });
  if (podName !== undefined) return [mounted({ subPath: `${podName}/${container.name}` })];
  const variable = variables.free(container);
  const additions = [mounted({ subPathExpr: `$(${variable})/${container.name}` })];
  if (!variables.isPodName(variable)) {
    const value = { name: variable, valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: POD_NAME_FIELD } } };
    additions.unshift(append(`${path}/env`, listOf(container.env), value));
  }
  return additions;
}

/** Whether it is the mount that we would make: also in a pod that was copied from a running one under another name. */
function isServed(
  mount: VolumeMount,
  container: ClaimContainer,
  variables: Variables,
  { volumes, podName }: Pick<Grant, "volumes" | "podName">,
): boolean {
  const { name, mountPath = "", subPath, subPathExpr, readOnly } = mount;
  if (placeOf(mountPath) !== "at" || !volumes.has(name) || readOnly) return false;
  if (subPath) return podName !== undefined && subPath === `${podName}/${container.name}`;
  const [, variable, directory] = /^\$\(([^()]+)\)\/(.*)$/s.exec(subPathExpr ?? "") ?? [];
  return directory === container.name && variables.isPodName(variable);
}

/** After our word. */
const NUMBER = /^_(\d+)/;
/** Of any number that is reached: no request has a million such words. */
const DIGITS = 6;

/** A container's environment, looked at once. */
class Variables {
  /** By name; of several of one name the last counts. */
  readonly #last: ReadonlyMap<string | undefined, EnvVar>;

  constructor({ env }: ClaimContainer) {
    this.#last = new Map(listOf(env).map((variable) => [variable.name, variable]));
  }

  isPodName(name: string | undefined): boolean {
    return this.#last.get(name)?.valueFrom?.fieldRef?.fieldPath === POD_NAME_FIELD;
  }

  /** A variable that holds the pod's name, or that the container has no word of: not even in an argument `$(…)`. */
  free(container: ClaimContainer): string {
    const taken = numbersIn(container);
    for (let [number, name] = [1, POD_NAME]; ; name = `${POD_NAME}_${++number}`)
      if ((!this.#last.has(name) && !taken.has(number)) || this.isPodName(name)) return name;
  }
}

/** Numbers of our word anywhere in the container: 123 has 1 and 12 in it, too, and each has the word alone, which is 1. */
function numbersIn({ command, args, env }: ClaimContainer): ReadonlySet<number> {
  const found = new Set<number>();
  for (const word of [...listOf(command), ...listOf(args), ...listOf(env).map(({ value }) => value)]) {
    if (typeof word !== "string") continue;
    for (let at = word.indexOf(POD_NAME); at >= 0; at = word.indexOf(POD_NAME, at + 1)) {
      found.add(1);
      const [, digits = ""] = NUMBER.exec(word.slice(at + POD_NAME.length, at + POD_NAME.length + 1 + DIGITS)) ?? [];
      for (let number = Number(digits); number > 1 && !found.has(number); number = Math.floor(number / 10))
        found.add(number);
    }
  }
  return found;
}

function mountDenial(pod: ClaimPod, grant: Grant): string | undefined {
  for (const { container } of containersOf(pod)) {
    const variables = new Variables(container);
    const paths = [
      ...listOf(container.volumeMounts).filter((mount) => !isServed(mount, container, variables, grant)),
      ...listOf(container.volumeDevices).map(({ name, devicePath }) => ({ name, mountPath: devicePath })),
    ];
    const other = paths.find(({ mountPath = "" }) => placeOf(mountPath) !== "elsewhere");
    if (other)
      return `Cannot mount ${claimWords(grant.claim)} in container ${quoted(container.name)}: it has volume ${quoted(other.name)} at ${quoted(other.mountPath)}; ${REMEDY}`;
  }
  return undefined;
}

/** A second volume of the same claim would not help: kubelets have mounted only one of two. */
const readOnlyDenial = (claim: string, known: Volume | undefined): string | undefined =>
  known && `Cannot mount ${claimWords(claim)}: the pod has it read-only as volume ${quoted(known.name)}; ${REMEDY}`;

const claimWords = (claim: string): string => `claim ${quoted(claim)} at ${CLAIM_MOUNT_PATH}`;
const REMEDY = `remove that, or the annotation ${CLAIM_ANNOTATION}`;
const quoted = (text: string | undefined): string => JSON.stringify((text ?? "").slice(0, MAX_NAME));

function selectorDenial({ spec }: ClaimPod): string | undefined {
  const value = spec?.nodeSelector?.[NODE_SELECTOR];
  if (value === undefined || value === "true") return undefined;
  return `Cannot run the pod where cores are kept: its node selector asks for ${NODE_SELECTOR}=${quoted(value)}, not "true"; ${REMEDY}`;
}

function selectorAdditions({ spec }: ClaimPod): Addition[] {
  const { nodeSelector } = spec ?? {};
  if (!nodeSelector) return [{ op: "add", path: "/spec/nodeSelector", value: { [NODE_SELECTOR]: "true" } }];
  if (nodeSelector[NODE_SELECTOR] === "true") return [];
  return [{ op: "add", path: `/spec/nodeSelector/${NODE_SELECTOR}`, value: "true" }];
}

/** At the end of a list, or a list where there is none: JSON Patch cannot add to what is not there. */
const append = (path: string, list: readonly unknown[], value: object): Addition =>
  list.length > 0 ? { op: "add", path: `${path}/-`, value } : { op: "add", path, value: [value] };

const listOf = <T>(list: readonly T[] | null | undefined): readonly T[] => (Array.isArray(list) ? list : []);
