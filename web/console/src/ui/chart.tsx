/// Small charts, drawn as SVG: no library that is larger than the console.
import { Text } from '@mantine/core';
import { useId } from 'react';

export interface Series {
  name: string;
  color: string;
  values: number[];
}

interface Props {
  label: string;
  series: Series[];
  /// What stands below the first and the last value.
  ends: [string, string];
  height?: number;
  /// How a value is told.
  format?: (n: number) => string;
  /// Names of the points, for who points at one.
  names?: string[];
}

const WIDTH = 600;
/// A column is no wider, however few there are.
const WIDEST = 40;

/// Columns, each of several values on top of each other.
export function Stacked({ label, series, ends, height = 120, format = String, names }: Props) {
  const title = useId();
  const count = series[0]?.values.length ?? 0;
  const totals = Array.from({ length: count }, (_, n) => series.reduce((sum, one) => sum + (one.values[n] ?? 0), 0));
  const most = Math.max(1, ...totals);
  const step = WIDTH / Math.max(1, count);
  const wide = Math.min(step * 0.8, WIDEST);
  const sums = series.map((one) => `${one.name}: ${format(one.values.reduce((a, b) => a + b, 0))}`);
  return (
    <figure className="chart">
      <svg viewBox={`0 0 ${WIDTH} ${height}`} preserveAspectRatio="none" role="img" aria-labelledby={title} height={height}>
        <title id={title}>{`${label}. ${sums.join(', ')}`}</title>
        <line x1="0" x2={WIDTH} y1={height - 0.5} y2={height - 0.5} className="chart-axis" />
        {totals.map((_, n) => {
          let below = 0;
          return (
            <g key={n}>
              {series.map((one) => {
                const value = one.values[n] ?? 0;
                if (value === 0) return null;
                const tall = (value / most) * (height - 4);
                below += tall;
                return <rect key={one.name} x={n * step + (step - wide) / 2} width={wide} y={height - below} height={Math.max(1, tall)} fill={one.color} />;
              })}
              <rect x={n * step} width={step} y={0} height={height} className="chart-point"><title>{`${names?.[n] ?? ''} ${series.map((one) => `${one.name} ${format(one.values[n] ?? 0)}`).join(', ')}`}</title></rect>
            </g>
          );
        })}
      </svg>
      <figcaption>
        <Text size="xs" c="dimmed">{ends[0]}</Text>
        <span className="legend">{series.map((one) => <span key={one.name}><i style={{ background: one.color }} />{one.name}</span>)}</span>
        <Text size="xs" c="dimmed">{ends[1]}</Text>
      </figcaption>
    </figure>
  );
}

/// Names with bars as long as their numbers.
export function Bars({ label, of }: { label: string; of: { key: string; name: React.ReactNode; value: number; said?: string; color?: string }[] }) {
  const most = Math.max(1, ...of.map((one) => one.value));
  return (
    <ul className="bars" aria-label={label}>
      {of.map((one) => (
        <li key={one.key}>
          <span className="bars-name">{one.name}</span>
          <span className="bars-value">{one.said ?? one.value.toLocaleString('en')}</span>
          <span className="bars-bar" aria-hidden="true"><i style={{ width: `${(one.value / most) * 100}%`, background: one.color }} /></span>
        </li>
      ))}
    </ul>
  );
}

export const COLORS = { ok: 'var(--chart-ok)', bad: 'var(--chart-bad)', warn: 'var(--chart-warn)', info: 'var(--chart-info)', quiet: 'var(--chart-quiet)' };
