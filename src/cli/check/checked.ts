/** What a check looks at. */
import type { KubeAnswers } from "../../kube/http.ts";

export interface CheckContext {
  readonly http: KubeAnswers;
  /** Of our own parts. */
  readonly namespace: string;
  readonly signal: AbortSignal;
}

/** The API server's clock against ours, milliseconds: added to ours it gives the server's. */
export interface ClockSkew {
  readonly aheadMs: number;
}
