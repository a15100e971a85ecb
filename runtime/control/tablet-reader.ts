// The tablets as the console and the command line see them: TabletsApi over the service `datastore-admin`.
import { type TabletsApi } from '../../admin-console/ports.ts';
import { DATASTORE_ADMIN_SERVICE } from '../../datastore/api/wire-service.ts';
import { type TabletsResponse, type WireTablet } from '../../datastore/api/tablet-methods.ts';
import { type TabletBoundaryView, type TabletQuery, type TabletsView, type TabletView } from '../../sdk/contract/admin/tablets.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';

const COUNT_BYTES = 4;

export class TabletReader implements TabletsApi {
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  async tablets({ app, from = 0, limit, history: stepMinutes }: TabletQuery): Promise<TabletsView> {
    const payload = {
      from,
      ...(app === undefined ? {} : { appId: app }),
      ...(limit === undefined ? {} : { limit }),
      ...(stepMinutes === undefined ? {} : { stepMinutes }),
    };
    const response = (await this.#rpc.call(DATASTORE_ADMIN_SERVICE, 'tablets', payload, { idempotent: true })) as TabletsResponse;
    const { tablets, hasMore, history } = response;
    return {
      tablets: tablets.map(tabletView),
      ...(hasMore ? { next: from + tablets.length } : {}),
      ...(history ? { history } : {}),
    };
  }
}

function tabletView({ id, start, startText, end, endText = '', rows, bytes, figures, reads, writes }: WireTablet): TabletView {
  return {
    ...{ id, rows, bytes },
    start: boundary(start, startText),
    ...(end ? { end: boundary(end, endText) } : {}),
    reads: { lastMinute: figures.reads, peak: figures.readsPeak },
    writes: { lastMinute: figures.writes, peak: figures.writesPeak },
    ...(reads && writes ? { history: { reads: counts(reads), writes: counts(writes) } } : {}),
  };
}

function boundary(key: Uint8Array, text: string): TabletBoundaryView {
  return { text, hex: Buffer.from(key).toString('hex') };
}

function counts(bytes: Uint8Array): readonly number[] {
  const view = Buffer.from(bytes);
  return Array.from({ length: view.length / COUNT_BYTES }, (_, at) => view.readUInt32LE(at * COUNT_BYTES));
}
