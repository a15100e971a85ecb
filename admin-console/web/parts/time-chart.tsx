// A chart of series over time: uPlot on a canvas, a legend of text above it, and the same as a table on demand.
import 'uplot/dist/uPlot.min.css';
import { Button, useComputedColorScheme } from '@mantine/core';
import { IconChartLine, IconTable } from '@tabler/icons-react';
import { type ReactElement, useEffect, useMemo, useRef, useState } from 'react';
import UPlot from 'uplot';
import { absoluteText, clockText, dayText, minuteText } from '../text/time-text.ts';
import { DataTable } from './data-table.tsx';
import { Panel } from './panel.tsx';

export interface Series {
  readonly title: string;
  readonly colour: 'good' | 'warn' | 'bad' | 'other';
  /** One for each time; null where there was nothing. */
  readonly values: readonly (number | null)[];
}

interface TimeChartProps {
  readonly title: string;
  /** Milliseconds since 1970, ascending. */
  readonly timesMs: readonly number[];
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  /** Bytes and things that are counted have round numbers of their own. */
  readonly unit?: 'bytes' | 'things';
  /** The least that the axis reaches up to; 1 when absent. */
  readonly topMin?: number;
  readonly shape?: 'lines' | 'bars';
  /** How the table and the legend name a moment. */
  readonly formatTime?: (atMs: number) => string;
}

const HEIGHT = 180;
const TABLE_ROWS_MAX = 200;
const DAY_MS = 86_400_000;
const COUNT_STEPS = Array.from({ length: 30 }, (_, step) => ([1, 2, 5][step % 3] ?? 1) * 10 ** Math.floor(step / 3));
const BYTE_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);

const cssColour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A value between two gaps has no line: it is drawn as a dot. */
function lonePoints(plot: UPlot, seriesIndex: number): number[] {
  const values = plot.data[seriesIndex] ?? [];
  const isThere = (index: number): boolean => typeof values[index] === 'number';
  return [...values.keys()].filter((index) => isThere(index) && !isThere(index - 1) && !isThere(index + 1));
}

function optionsOf(width: number, { series, format, shape, unit, timesMs, topMin = 1 }: TimeChartProps): UPlot.Options {
  const tickTime = (timesMs.at(-1) ?? 0) - (timesMs[0] ?? 0) > 2 * DAY_MS ? dayText : minuteText;
  const axis = { stroke: cssColour('--mantine-color-dimmed'), font: '11px system-ui, sans-serif', ticks: { show: false } };
  const grid = { stroke: cssColour('--rule'), width: 1 };
  const bars = UPlot.paths.bars?.({ size: [0.6, 40], radius: 0.15 });
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    padding: [8, 8, 0, 0],
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { y: { range: (_plot, _low, high) => [0, Math.max(topMin, high * 1.12)] } },
    axes: [
      { ...axis, grid: { show: false }, space: 70, size: 28, values: (_plot, ticks) => ticks.map((tick) => tickTime(tick * 1_000)) },
      {
        ...axis,
        grid,
        size: 74,
        space: 38,
        ...(unit === undefined ? {} : { incrs: unit === 'bytes' ? BYTE_STEPS : COUNT_STEPS }),
        values: (_plot, ticks) => ticks.map((tick) => (tick === 0 ? '0' : format(tick))),
      },
    ],
    series: [
      {},
      ...series.map(({ title, colour }) => {
        const stroke = cssColour(`--chart-${colour}`);
        return {
          label: title,
          stroke,
          width: shape === 'bars' ? 0 : 1.75,
          fill: shape === 'bars' ? stroke : `${stroke}1c`,
          points: { show: true, size: 5, fill: stroke, filter: lonePoints },
          ...(shape === 'bars' && bars !== undefined ? { paths: bars } : {}),
        };
      }),
    ],
  };
}

const dataOf = ({ timesMs, series }: TimeChartProps): UPlot.AlignedData => [
  timesMs.map((atMs) => atMs / 1_000),
  ...series.map(({ values }) => [...values]),
];

function Canvas({
  chart,
  onPoint,
}: {
  readonly chart: TimeChartProps;
  readonly onPoint: (index: number | undefined) => void;
}): ReactElement {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot>(undefined);
  const scheme = useComputedColorScheme();
  const latest = useRef({ chart, onPoint });
  latest.current = { chart, onPoint };
  const span = chart.timesMs.length > 1 ? (chart.timesMs[1] ?? 0) - (chart.timesMs[0] ?? 0) : 0;
  const shapeKey = chart.series.map(({ title }) => title).join('|');

  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const options = optionsOf(element.clientWidth, latest.current.chart);
    const made = new UPlot(
      { ...options, hooks: { setCursor: [({ cursor }) => latest.current.onPoint(cursor.idx ?? undefined)] } },
      dataOf(latest.current.chart),
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) made.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [scheme, shapeKey, span]);

  useEffect(() => plot.current?.setData(dataOf(chart)), [chart]);
  return <div ref={box} className="chart-canvas" />;
}

export function TimeChart(props: TimeChartProps): ReactElement {
  const { title, timesMs, series, format, formatTime = absoluteText } = props;
  const [point, setPoint] = useState<number>();
  const [showsTable, setShowsTable] = useState(false);
  // The last interval is still open: it says too little to stand for now.
  const index = point ?? Math.max(0, timesMs.length - 2);
  const valueAt = (values: readonly (number | null)[], at: number): string => {
    const value = values[at];
    return value === null || value === undefined ? '–' : format(value);
  };
  const summary = series.map(({ title: name, values }) => `${name} ${valueAt(values, index)}`).join(', ');
  const newestFirst = useMemo(() => timesMs.map((_, each) => timesMs.length - 1 - each).slice(0, TABLE_ROWS_MAX), [timesMs]);
  return (
    <Panel
      title={title}
      actions={
        <Button
          size="compact-xs"
          variant="default"
          leftSection={showsTable ? <IconChartLine size={14} aria-hidden /> : <IconTable size={14} aria-hidden />}
          aria-expanded={showsTable}
          aria-label={`${title}: ${showsTable ? 'hide the table' : 'show as a table'}`}
          onClick={() => setShowsTable(!showsTable)}
        >
          {showsTable ? 'Hide table' : 'Table'}
        </Button>
      }
    >
      <ul className="chart-legend">
        {series.map(({ title: name, colour, values }) => (
          <li key={name}>
            <i data-colour={colour} aria-hidden />
            {name} <b>{valueAt(values, index)}</b>
          </li>
        ))}
        {point !== undefined && <li className="chart-moment">{formatTime(timesMs[point] ?? 0)}</li>}
      </ul>
      <div role="img" aria-label={`${title}: ${summary}`}>
        <Canvas chart={props} onPoint={setPoint} />
      </div>
      {showsTable && (
        <div className="chart-table">
          <DataTable
            label={`${title}, newest first`}
            keyOf={(at) => at}
            rows={newestFirst}
            columns={[
              {
                title: 'Time',
                isHeader: true,
                cell: (at) => <span className="nowrap">{(formatTime === absoluteText ? clockText : formatTime)(timesMs[at] ?? 0)}</span>,
              },
              ...series.map(({ title: name, values }) => ({ title: name, isNumber: true, cell: (at: number) => valueAt(values, at) })),
            ]}
          />
        </div>
      )}
    </Panel>
  );
}
