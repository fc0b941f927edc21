export interface AxisScale {
  readonly min: number;
  readonly max: number;
  readonly ticks: readonly number[];
  /** A tick as text, with as many decimals as the step needs. */
  readonly format: (tick: number) => string;
}

/** Values beyond this are not drawn: their differences would overflow. */
export const LARGEST_DRAWN = 1e100;

/**
 * An axis with about `count` steps of 1, 2 or 5 times a power of ten that covers all values; [0, 1] without any.
 * @param options `least`: the least extent, which values beyond it widen; `whole`: ticks at whole numbers only, as there
 *   is no update 0.5
 */
export function axisScale(
  values: readonly number[],
  count: number,
  fit: 'round' | 'exact',
  { least, whole = false }: { readonly least?: readonly [low: number, high: number]; readonly whole?: boolean } = {},
): AxisScale {
  const [low, high] = least === undefined ? rangeOf(values, whole) : rangeWith(values, least);
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const found = ([1, 2, 5].find((factor) => factor * power >= rough * 0.999) ?? 10) * power;
  const step = whole ? Math.max(1, found) : found;
  const min = fit === 'round' ? Math.floor(low / step + 1e-9) * step : low;
  const max = fit === 'round' ? Math.ceil(high / step - 1e-9) * step : high;
  const ticks: number[] = [];
  for (let i = Math.ceil(min / step - 1e-9); i * step <= max + step * 1e-9; i++) ticks.push(i * step || 0); // no −0
  return { min, max, ticks, format: (tick) => formatTick(tick, step) };
}

/** The range to show: from 0 when the values are positive and reach near it; never empty. */
function rangeOf(values: readonly number[], whole: boolean): [number, number] {
  if (values.length === 0) return [0, 1];
  const [least, high] = extremes(values);
  const low = least > 0 && least < high * 0.6 ? 0 : least;
  const size = Math.max(Math.abs(low), Math.abs(high));
  if (high - low > Math.max(size * 1e-9, 1e-100)) return [low, high];
  // Equal values, or a difference that drowns in rounding. A place on the x axis has its neighbours on both sides; a
  // constant is shown against 0, since a magnified one looks like a course.
  if (whole) return [low - 1, high + 1];
  if (size <= 1e-100) return [0, 1];
  return high > 0 ? [0, high * 1.25] : [low * 1.25, 0];
}

function rangeWith(values: readonly number[], [low, high]: readonly [number, number]): [number, number] {
  const [least, most] = values.length === 0 ? [low, high] : extremes(values);
  const [from, to] = [Math.min(low, least), Math.max(high, most)];
  return to > from ? [from, to] : [from, from + 1];
}

function extremes(values: readonly number[]): [number, number] {
  return values.reduce<[number, number]>(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Infinity, -Infinity],
  );
}

/** Fewer values have no outliers. */
const LEAST_VALUES = 20;
/** Share of the values on each side that may be left out. */
const TAIL = 0.05;
/** Distance of an outlier, in spreads of the others. */
const FAR = 10;

/** The values without the few so far out that the others would be one flat line. */
export function withoutOutliers(values: readonly number[]): readonly number[] {
  if (values.length < LEAST_VALUES) return values;
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))] as number;
  const [low, high] = [at(TAIL), at(1 - TAIL)];
  const spread = Math.max(high - low, Math.max(Math.abs(low), Math.abs(high)) * 0.01);
  if (spread === 0) return values;
  return values.filter((value) => value >= low - FAR * spread && value <= high + FAR * spread);
}

function formatTick(tick: number, step: number): string {
  const size = Math.abs(tick);
  // A tick next to zero is zero but for rounding.
  if (size < step / 2) return '0';
  if (size >= 1e6 || step < 1e-3) {
    const digits = Math.max(0, Math.floor(Math.log10(size)) - Math.floor(Math.log10(step) + 1e-9));
    return tick.toExponential(Math.min(12, digits)).replace('e+', 'e');
  }
  if (size >= 1e4 && step >= 100) return `${Number((tick / 1e3).toFixed(1))}k`;
  return tick.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
}
