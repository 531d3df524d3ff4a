/** etcd's messages as protobufjs makes objects of them (etcd/rpc.proto): int64 as decimal text, what was not sent by its default. */
interface KeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly modRevision: string;
  readonly createRevision: string;
  readonly version: string;
}

interface Header {
  readonly revision: string;
}

interface RangeResponse {
  readonly header: Header;
  readonly kvs: readonly KeyValue[];
  readonly count: string;
}

export interface TxnResponse {
  readonly header: Header;
  readonly succeeded: boolean;
  readonly responses: readonly { readonly responseRange?: RangeResponse }[];
}

export interface WatchResponse {
  readonly header: Header;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: string;
  readonly cancelReason: string;
  readonly events: readonly {
    readonly type: "PUT" | "DELETE";
    readonly kv: KeyValue;
    readonly prevKv: KeyValue | null;
  }[];
}

export interface EtcdAnswers {
  readonly "KV/Range": RangeResponse;
  readonly "KV/Txn": TxnResponse;
  readonly "KV/Compact": object;
}

export const bytes = (text: string): Buffer => Buffer.from(text);
export const itemOf = ({ key, value, modRevision }: KeyValue) => ({
  key: key.toString(),
  value: value.toString(),
  revision: BigInt(modRevision),
});
