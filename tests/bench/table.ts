// What a bench returns and prints: our figure, the peer's figure taken in the same run, and the ratio of the two.
// Figures of different runs or machines never meet in one row.
// Read next: any bench beside this file; each exports `run` and can be started by itself.
import { writeFile } from 'node:fs/promises';

export interface BenchRow {
  readonly name: string;
  readonly unit: string;
  readonly ours: number;
  readonly peer: number;
  readonly peerName: string;
  /** ours ÷ peer. Whether high or low is good, the budget says. */
  readonly ratio: number;
  /** The budget of the design in words, such as `≥ 0.4`. */
  readonly budget?: string;
}

export interface BenchTable {
  readonly title: string;
  readonly rows: readonly BenchRow[];
}

/** Prints the table to standard output, columns aligned. */
export function printTable(table: BenchTable): void {
  const header = ['what', 'ours', 'peer', 'unit', 'ratio', 'budget', 'peer is'];
  const lines = [
    header,
    ...table.rows.map((row) => [
      row.name,
      figure(row.ours),
      figure(row.peer),
      row.unit,
      Number.isFinite(row.ratio) ? row.ratio.toFixed(2) : '-',
      row.budget ?? '',
      row.peerName,
    ]),
  ];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const rightAligned = new Set([1, 2, 4]);
  const text = lines.map((line) =>
    line
      .map((cell, column) => (rightAligned.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  process.stdout.write(`\n${table.title}\n${text.join('\n')}\n`);
}

/** Writes all tables of a run as one JSON document. */
export async function writeJson(file: string, tables: readonly BenchTable[]): Promise<void> {
  await writeFile(file, `${JSON.stringify({ tables }, null, 2)}\n`);
}

function figure(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Math.abs(value) >= 100) return String(Math.round(value));
  return value.toPrecision(3);
}
