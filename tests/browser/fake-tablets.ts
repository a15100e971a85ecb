// Tablets of a datastore that is busy in the afternoon, some with long names.
import { type TabletsView, type TabletView } from '../../sdk/contract/admin/tablets.ts';

const STARTS = [
  'the beginning',
  'guestbook Greeting:5000000000000003',
  'guestbook kind Greeting of Greeting:"a name that somebody chose and that goes on for longer than a column is wide"',
  'guestbook property Greeting.author (string) of Greeting:5000000000000003',
  'shop namespace eu-west Order:41 / Line:3',
  'shop composite index 4',
];
const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;

export function tablets(query: URLSearchParams, nowMs: number): TabletsView {
  const stepMinutes = Number(query.get('history') ?? 15);
  const steps = DAY_MINUTES / stepMinutes;
  const wave = (index: number, height: number): number[] =>
    Array.from({ length: steps }, (_, step) => Math.max(0, Math.round(height * Math.sin((step / steps) * 6 + index) * (index % 3))));
  const boundary = (index: number): TabletView['start'] => ({
    text: STARTS[index] ?? '',
    hex: Buffer.from(STARTS[index] ?? '').toString('hex'),
  });
  const app = query.get('app') ?? '';
  return {
    tablets: STARTS.map((_, index) => ({
      id: index + 1,
      start: boundary(index),
      ...(index + 1 < STARTS.length ? { end: boundary(index + 1) } : {}),
      rows: 120_000 * (index + 1),
      bytes: 17_000_000 * (index + 1),
      reads: { lastMinute: 1_200 * index, peak: 90_000 * index },
      writes: { lastMinute: 30 * index, peak: 4_000 * index },
      history: { reads: wave(index, 80_000), writes: wave(index + 1, 3_000) },
    })).filter(({ start }) => start.text.includes(app)),
    history: {
      fromMs: Math.floor(nowMs / (stepMinutes * MINUTE_MS)) * stepMinutes * MINUTE_MS - (DAY_MINUTES - stepMinutes) * MINUTE_MS,
      stepMinutes,
    },
  };
}
