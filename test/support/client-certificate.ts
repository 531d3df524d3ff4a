/** A client's certificate, by a CA of its own, as others make them: openssl. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** PEM texts. @param folder for the files on the way */
export function clientOf(folder: string, name: string): { ca: string; cert: string; key: string } {
  const file = (end: string) => join(folder, `${name}-${end}`);
  const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe" });
  const newKey = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  openssl(...newKey, "-subj", `/CN=CA of ${name}`, "-keyout", file("ca.key"), "-out", file("ca.crt"));
  writeFileSync(file("ext"), "basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n");
  openssl(
    ...newKey.filter((word) => word !== "-x509").slice(0, -2),
    "-subj",
    "/CN=apiserver",
    "-keyout",
    file("tls.key"),
    "-out",
    file("csr"),
  );
  const signing = [
    "-CA",
    file("ca.crt"),
    "-CAkey",
    file("ca.key"),
    "-CAcreateserial",
    "-extfile",
    file("ext"),
    "-days",
    "2",
  ];
  openssl("x509", "-req", "-in", file("csr"), ...signing, "-out", file("tls.crt"));
  const [ca = "", cert = "", key = ""] = ["ca.crt", "tls.crt", "tls.key"].map((end) => readFileSync(file(end), "utf8"));
  return { ca, cert, key };
}
