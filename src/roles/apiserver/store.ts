/** The predecessor's words for where bundles are, in ours. */
import type { BACKEND_OPTIONS } from "../../config/apiserver-options.ts";
import type { Values } from "../../config/options.ts";
import type { StoreSettings } from "../../config/store-options.ts";
import { DumpError } from "../../domain/failures.ts";

type BackendSettings = Values<typeof BACKEND_OPTIONS>;

/** @throws DumpError SETTINGS_INVALID when they do not say where, or two things at once */
export function storeSettingsOf(settings: StoreSettings & BackendSettings): StoreSettings {
  const { backendKind, localPath, awsHost, awsRegion, awsBucket, ...rest } = settings;
  if (backendKind === undefined) return rest;
  const both = "Cannot use --backend-kind and --store together: both say where bundles are";
  if (rest.store !== undefined) throw new DumpError("SETTINGS_INVALID", both);
  if (backendKind === "local") return { ...rest, store: given("local-path", localPath) };
  return {
    ...rest,
    store: `s3://${given("aws-bucket", awsBucket)}`,
    ...(awsHost !== undefined && { s3Endpoint: urlOf(awsHost) }),
    ...(awsRegion !== undefined && { s3Region: awsRegion }),
  };
}

/** Keys are taken from the environment, where the S3 client looks for them. */
export function exportKeys({ awsAccessKey, awsSecretKey }: BackendSettings): void {
  if (awsAccessKey === undefined || awsSecretKey === undefined) return;
  process.env["AWS_ACCESS_KEY_ID"] = awsAccessKey;
  process.env["AWS_SECRET_ACCESS_KEY"] = awsSecretKey;
}

function given(flag: string, value: string | undefined): string {
  if (value !== undefined) return value;
  throw new DumpError("SETTINGS_INVALID", `Cannot use --backend-kind without --${flag}`);
}

/** A host was enough there. */
const urlOf = (host: string): string => (host.includes("://") ? host : `https://${host}`);
