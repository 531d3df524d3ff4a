/** What any webhook in Node must do at the least: HTTPS, a body, JSON.parse, JSON.stringify. Arguments: certificate and key. */
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

const [cert = "", key = ""] = process.argv.slice(2).map((file) => readFileSync(file, "utf8"));
const server = createServer({ cert, key }, async (request, response) => {
  const answer = JSON.stringify(JSON.parse(await text(request)));
  response.writeHead(200, { "content-type": "application/json" }).end(answer);
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
