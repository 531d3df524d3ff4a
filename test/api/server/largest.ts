import { POD_UID } from "./api.ts";

/** What a list or a patch works on: as large as an endpoint may be. */
export const LARGEST = {
  metadata: {
    name: "one",
    labels: Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`key-${at}`, `value-${at}`])),
    annotations: { large: "x".repeat(200_000) },
    finalizers: Array.from({ length: 50 }, (_, at) => `example.com/finalizer-${at}`),
  },
  spec: { poduid: POD_UID },
};
