import { z } from 'zod';
import { TABLET_HISTORY_STEPS } from '../../sdk/contract/admin/tablets.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { method, type Service } from '../../sdk/contract/wire/service.ts';
import { type Datastore } from '../datastore.ts';
import { rowName } from '../integrity/row-name.ts';
import { type ListedTablet, listTablets } from '../tablet/tablet-listing.ts';
import { appId } from './payload.ts';

const MINUTE_MS = 60_000;

const tabletsPayload = z.object({
  appId: appId.exactOptional(),
  from: z.int().min(0).default(0),
  limit: z.int().min(1).max(LIMITS.tabletsListedMax).default(LIMITS.tabletsListedMax),
  stepMinutes: z
    .int()
    .refine((minutes) => TABLET_HISTORY_STEPS.includes(minutes))
    .exactOptional(),
});

export interface TabletsResponse {
  readonly tablets: readonly WireTablet[];
  readonly hasMore: boolean;
  readonly history?: { readonly fromMs: number; readonly stepMinutes: number };
}

export interface WireTablet {
  readonly id: number;
  readonly start: Uint8Array;
  readonly startText: string;
  readonly end?: Uint8Array;
  readonly endText?: string;
  readonly rows: number;
  readonly bytes: number;
  readonly figures: { readonly reads: number; readonly writes: number; readonly readsPeak: number; readonly writesPeak: number };
  /** Little-endian u32 for each step: thousands of tablets in one frame. */
  readonly reads?: Uint8Array;
  readonly writes?: Uint8Array;
}

/** The datastore's tablets, for the control role. */
export function tabletMethods(datastore: Datastore): Service['methods'] {
  return {
    tablets: method(tabletsPayload, (payload): TabletsResponse => {
      const { tablets, hasMore } = listTablets(datastore.tabletServer, payload);
      const series = tablets[0]?.series;
      return {
        tablets: tablets.map(wireTablet),
        hasMore,
        ...(series ? { history: { fromMs: series.fromMinute * MINUTE_MS, stepMinutes: series.stepMinutes } } : {}),
      };
    }),
  };
}

function wireTablet({ id, start, end, rows, bytes, figures, series }: ListedTablet): WireTablet {
  return {
    ...{ id, start, rows, bytes, figures },
    startText: start.length === 0 ? 'the beginning' : rowName(start),
    ...(end ? { end, endText: rowName(end) } : {}),
    ...(series ? { reads: Buffer.from(series.reads.buffer), writes: Buffer.from(series.writes.buffer) } : {}),
  };
}
