/** How often a property is tried that costs much: a quarter in the fast loop (`bin/test ok`). */
export const runs = (most: number): number => (process.env["COREDUMP_FEW_RUNS"] ? Math.ceil(most / 4) : most);
