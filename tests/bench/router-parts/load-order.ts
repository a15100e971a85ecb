/** What one run of load.ts is told. */
export interface LoadOrder {
  readonly url: string;
  readonly amount: number;
  readonly connections: number;
  /** Sent by POST; 0: a GET. */
  readonly bodyBytes: number;
}
