/** A file, served by Node as simply as it can be. Arguments: certificate, key, address, file. Prints its port. */
import { createReadStream, readFileSync, statSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream";

const [cert = "", key = "", address = "", file = ""] = process.argv.slice(2);
const size = statSync(file).size;
const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (request, response) => {
  if (!request.url?.endsWith("/core")) {
    // kube-apiserver asks whether there is such an API.
    const answer = { kind: "APIResourceList", apiVersion: "v1", groupVersion: "bench.example.com/v1", resources: [] };
    return void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
  }
  response.writeHead(200, { "content-type": "application/octet-stream", "content-length": size });
  pipeline(createReadStream(file, { highWaterMark: 1 << 18 }), response, () => undefined);
});
server.listen(0, address, () => console.log((server.address() as AddressInfo).port));
