/** What a check looks at. */
import type { KubeAnswers } from "../../kube/http.ts";

export interface Checked {
  readonly http: KubeAnswers;
  /** Of our own parts. */
  readonly namespace: string;
  readonly signal: AbortSignal;
}

/** The API server's clock against ours, milliseconds: added to ours it gives the server's. */
export interface Clock {
  readonly aheadMs: number;
}
