/** What Kubernetes allows as names (RFC 1123, as k8s.io/apimachinery checks them). A name becomes a part of a path: so no `/`, `..`, `%`. */
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

export const MAX_NAME_LENGTH = 253;
const MAX_NAMESPACE_LENGTH = 63;

/** Of a namespace, and of a part of a name. */
export const isNamespace = (name: string): boolean => name.length <= MAX_NAMESPACE_LENGTH && DNS_LABEL.test(name);

/** Of any object of ours, and of pods, nodes, Leases and the like. */
export const isName = (name: string): boolean => name.length <= MAX_NAME_LENGTH && DNS_SUBDOMAIN.test(name);
