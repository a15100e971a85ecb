// Many rows over time as one picture. It says nothing by itself to those who do not see it: a table must stand beside it.
import { useComputedColorScheme } from '@mantine/core';
import { type PointerEvent, type ReactElement, useEffect, useRef, useState } from 'react';

export interface HeatMapRow {
  readonly key: string | number;
  /** One value a step, the oldest first. */
  readonly values: readonly number[];
}

interface HeatMapProps {
  readonly label: string;
  readonly rows: readonly HeatMapRow[];
  /** What the strongest colour stands for. */
  readonly max: number;
  /** Says a cell in words, shown while the pointer is on it. */
  readonly cellText: (row: number, step: number) => string;
  /** Shown while it is on none. */
  readonly hint: string;
}

const ROW_PIXELS_MAX = 22;
const ROW_PIXELS_MIN = 3;
const HEIGHT_PIXELS = 320;
/** The least that a cell with anything in it shows, so that little is seen apart from nothing. */
const FAINTEST = 0.14;

/** By the root, or all but the busiest would look alike. */
function shade(value: number, max: number): number {
  return value === 0 ? 0 : FAINTEST + (1 - FAINTEST) * Math.sqrt(value / Math.max(max, value));
}

export function HeatMap({ label, rows, max, cellText, hint }: HeatMapProps): ReactElement {
  const canvas = useRef<HTMLCanvasElement>(null);
  const scheme = useComputedColorScheme();
  const [width, setWidth] = useState(0);
  const [text, setText] = useState(hint);
  const steps = rows[0]?.values.length ?? 0;
  const rowPixels = Math.max(ROW_PIXELS_MIN, Math.min(ROW_PIXELS_MAX, Math.floor(HEIGHT_PIXELS / Math.max(1, rows.length))));
  const height = rowPixels * rows.length;

  useEffect(() => {
    const box = canvas.current?.parentElement;
    if (!box) return undefined;
    const observer = new ResizeObserver(() => setWidth(box.clientWidth));
    observer.observe(box);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext('2d');
    if (!element || !context || width === 0) return;
    const ratio = window.devicePixelRatio;
    element.width = Math.round(width * ratio);
    element.height = Math.round(height * ratio);
    context.fillStyle = getComputedStyle(element).color;
    const gap = rowPixels > 6 ? ratio : 0;
    rows.forEach(({ values }, row) => {
      values.forEach((value, step) => {
        context.globalAlpha = shade(value, max);
        const left = Math.floor((step * element.width) / steps);
        const right = Math.floor(((step + 1) * element.width) / steps);
        context.fillRect(left, row * rowPixels * ratio, right - left, rowPixels * ratio - gap);
      });
    });
  }, [rows, max, steps, width, height, rowPixels, scheme]);

  const point = (event: PointerEvent<HTMLCanvasElement>): void => {
    const row = Math.floor(event.nativeEvent.offsetY / rowPixels);
    const step = Math.floor((event.nativeEvent.offsetX * steps) / Math.max(1, width));
    setText(row >= 0 && row < rows.length && step >= 0 && step < steps ? cellText(row, step) : hint);
  };
  return (
    <div>
      <div className="heat-map">
        <canvas
          ref={canvas}
          role="img"
          aria-label={label}
          style={{ height }}
          onPointerMove={point}
          onPointerDown={point}
          onPointerLeave={() => setText(hint)}
        />
      </div>
      <p className="heat-map-text">{text}</p>
    </div>
  );
}
