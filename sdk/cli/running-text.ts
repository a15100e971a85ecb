import { type VersionView } from '../contract/admin/admin.ts';

/** One line on whether a version runs as it should, and what keeps it from that. */
export function runningText({ running }: VersionView): string {
  if (!running) return '';
  const { isStopped, trouble } = running;
  if (isStopped) return 'stopped';
  if (trouble === undefined) return 'ok';
  if (trouble.kind === 'no-room') return `no room: ${firstLine(trouble.reason)}`;
  const next = trouble.nextTryMs === undefined ? '' : `, next try in ${Math.ceil(trouble.nextTryMs / 1_000)} s`;
  return `failed ${trouble.failures} times${next}: ${firstLine(trouble.reason)}`;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
