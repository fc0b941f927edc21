/** Axis ticks at round numbers. */

export interface AxisScale {
  readonly min: number;
  readonly max: number;
  readonly ticks: readonly number[];
  /** A tick as text, with as many decimals as the step needs. */
  readonly format: (tick: number) => string;
}

/** Values beyond this are not drawn: their differences would overflow. */
export const LARGEST_DRAWN = 1e100;

/** An axis with about `count` steps of 1, 2 or 5 times a power of ten that covers all values; [0, 1] without any. */
export function axisScale(values: readonly number[], count: number, fit: 'round' | 'exact'): AxisScale {
  const [low, high] = rangeOf(values);
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((factor) => factor * power >= rough * 0.999) ?? 10) * power;
  const min = fit === 'round' ? Math.floor(low / step + 1e-9) * step : low;
  const max = fit === 'round' ? Math.ceil(high / step - 1e-9) * step : high;
  const ticks: number[] = [];
  for (let i = Math.ceil(min / step - 1e-9); i * step <= max + step * 1e-9; i++) ticks.push(i * step);
  return { min, max, ticks, format: (tick) => formatTick(tick, step) };
}

/** The range to show: from 0 when the values are positive and reach near it; never empty. */
function rangeOf(values: readonly number[]): [number, number] {
  if (values.length === 0) return [0, 1];
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > 0 && low < high * 0.6) low = 0;
  const size = Math.max(Math.abs(low), Math.abs(high));
  // Equal values, or a difference that drowns in rounding.
  if (high - low <= Math.max(size * 1e-9, 1e-100)) {
    const room = size > 1e-100 ? size * 0.1 : 1;
    return [low - room, high + room];
  }
  return [low, high];
}

function formatTick(tick: number, step: number): string {
  const size = Math.abs(tick);
  // A tick beside zero is zero but for rounding.
  if (size < step / 2) return '0';
  if (size >= 1e6 || step < 1e-5) {
    const digits = Math.max(0, Math.floor(Math.log10(size)) - Math.floor(Math.log10(step) + 1e-9));
    return tick.toExponential(Math.min(12, digits)).replace('e+', 'e');
  }
  if (size >= 1e4 && step >= 100) return `${Number((tick / 1e3).toFixed(1))}k`;
  return tick.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
}
