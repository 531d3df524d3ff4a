/** What `import.meta.url` becomes in the bundle, which is CommonJS: the executable's own address. */
import { pathToFileURL } from "node:url";

export const importMetaUrl = pathToFileURL(__filename).href;
