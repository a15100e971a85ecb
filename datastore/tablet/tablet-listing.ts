// A page of tablets with their figures, in key order.
import { LIMITS } from '../../sdk/contract/limits.ts';
import { OrderedWriter } from '../codec/ordered-writer.ts';
import { keyAfterPrefix } from '../storage/key-bytes.ts';
import { FAMILIES_OF_APPS } from './app-bytes.ts';
import { type LoadFigures, type LoadSeries } from './load-history.ts';
import { type Tablet, type TabletView } from './tablet-map.ts';
import { type TabletServer } from './tablet-server.ts';

export interface TabletListingOptions {
  /** Only those whose range has keys of this app. */
  readonly appId?: string;
  readonly from: number;
  readonly limit: number;
  /** Minutes of one step of the history. */
  readonly stepMinutes?: number;
}

export interface ListedTablet extends TabletView {
  readonly figures: LoadFigures;
  readonly series?: LoadSeries;
}

export interface TabletListing {
  readonly tablets: readonly ListedTablet[];
  readonly hasMore: boolean;
}

/** With a history, as many tablets as have `tabletHistoryCellsMax` steps together. */
export function listTablets(server: TabletServer, { appId, from, limit, stepMinutes }: TabletListingOptions): TabletListing {
  const { map, minute } = server;
  const views = map.list();
  const wanted = map.tablets
    .map((tablet, at) => ({ tablet, view: views[at] }))
    .filter(
      (one): one is { tablet: Tablet; view: TabletView } => one.view !== undefined && (appId === undefined || holds(one.view, appId)),
    );
  const steps = stepMinutes === undefined ? 0 : LIMITS.tabletHistoryMinutes / stepMinutes;
  const count = steps === 0 ? limit : Math.max(1, Math.min(limit, Math.floor(LIMITS.tabletHistoryCellsMax / steps)));
  const tablets = wanted.slice(from, from + count).map(({ tablet: { load }, view }) => ({
    ...view,
    figures: load.history.figures(minute),
    ...(stepMinutes === undefined ? {} : { series: load.history.series(minute, stepMinutes) }),
  }));
  return { tablets, hasMore: wanted.length > from + count };
}

function holds({ start, end }: TabletView, appId: string): boolean {
  const writer = new OrderedWriter();
  return FAMILIES_OF_APPS.some((family) => {
    const first = writer.byte(family).text(appId).take();
    const behind = keyAfterPrefix(first);
    return (end === undefined || Buffer.compare(first, end) < 0) && (behind === undefined || Buffer.compare(start, behind) < 0);
  });
}
