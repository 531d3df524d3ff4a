/** The API as a thread of its own: its processor time and its heap are then its own, too. */
import { parentPort } from "node:worker_threads";
import { DumpError } from "../../../src/domain/failures.ts";
import { Api, endpoint, IN_TEAM } from "./api.ts";
import { LARGEST } from "./largest.ts";

const api = new Api({
  downloads: {
    openDump: () => Promise.reject(new DumpError("NOT_FOUND", "Cannot serve it: there is none")),
    openEndpoint: async () => ({
      ...{ etag: '"a"', lengthBytes: 3, filename: "a", contentType: "application/x-tar" },
      read: async function* () {
        yield Buffer.from("abc");
      },
    }),
  },
});
const { metadata, spec } = LARGEST;
const { code, text } = await api.ask("POST", IN_TEAM, { body: endpoint(metadata, spec) });
if (code !== 201) throw new Error(text);
parentPort?.on("message", () => {
  const { user, system } = process.threadCpuUsage();
  parentPort?.postMessage({ cpuMs: (user + system) / 1000 });
});
parentPort?.postMessage({ port: await api.listen() });
