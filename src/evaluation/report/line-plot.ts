/**
 * Line plots as SVG text: one file without scripts or outside references, readable on light and dark pages. A few paths
 * need no plot library.
 */
import { type AxisScale, LARGEST_DRAWN, axisScale, withoutOutliers } from './line-scale.js';
import { escapeMarkup, type Markup, markup, raw, shorten } from './markup.js';

export interface PlotSeries {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface LinePlot {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly PlotSeries[];
  /** Least extent of the y axis: 'fraction' 0 to 1, 'zero' the zero. Default: that of the values. */
  readonly yRange?: 'fraction' | 'zero';
  /** Every point unchanged, for settings; default: running means of many measured points. */
  readonly isExact?: boolean;
  /** Named stretches of the x axis, such as the warm-up. */
  readonly bands?: readonly { readonly from: number; readonly to: number; readonly name: string }[];
}

const [WIDTH, HEIGHT] = [640, 360];
const [LEFT, RIGHT] = [72, 18];
/** Height of the x axis. */
const FOOT = HEIGHT - 50;
const LEGEND_ROW = 20;
const COLORS = ['#3b82f6', '#f0762b', '#12a57c', '#d946a0', '#8b5cf6', '#c99a06', '#06a5c4', '#ef4461'];
/** A series with more points is drawn pale, with its running mean over it. */
const SMOOTH_ABOVE = 80;
/** More points per path would be invisible. */
const MOST_POINTS = 800;
/** Marks of points beyond the axis. */
const MOST_MARKS = 20;

/** Equal rules in every plot, so that one page may hold several. */
const STYLE = `.gsva-plot{color:#1d2433;font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
.gsva-plot text{fill:currentColor}.gsva-plot .soft{opacity:.65}.gsva-plot .title{font-size:15px;font-weight:600}
.gsva-plot .paper{fill:#fff}.gsva-plot .grid{stroke:currentColor;stroke-opacity:.12}.gsva-plot .axis{stroke:currentColor;stroke-opacity:.45}
.gsva-plot path{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.gsva-plot path.raw{stroke-width:1;stroke-opacity:.3}.gsva-plot path.beyond{stroke:none}.gsva-plot .band{fill:currentColor;fill-opacity:.07}
@media (prefers-color-scheme:dark){.gsva-plot{color:#e4e8f1}.gsva-plot .paper{fill:#171b24}}`;

type Point = readonly [number, number];

/** The plot as one `<svg>` element, 640×360 units, that fills its given width. */
export function linePlotSvg(plot: LinePlot): string {
  const { title, series, bands = [], isExact = false } = plot;
  const all = series.flatMap(({ points }) => points);
  const finite = all.filter(isDrawable);
  const edges = finite.length === 0 ? [] : bands.flatMap(({ from, to }) => [from, to]);
  const xs = [...finite.map(([value]) => value), ...edges];
  const x = axisScale(xs, 7, 'exact', { whole: xs.length > 0 && xs.every(Number.isInteger) });
  const ys = finite.map(([, value]) => value);
  const shown = isExact ? ys : withoutOutliers(ys);
  const least = plot.yRange === undefined ? {} : { least: plot.yRange === 'zero' ? ZERO : FRACTION };
  const y = axisScale(shown, 5, 'round', least);
  const legend = layOutLegend(series);
  const top = 44 + Math.max(legend.rows, 1) * LEGEND_ROW;
  const toX = (value: number): number => round(LEFT + ((value - x.min) / (x.max - x.min)) * (WIDTH - LEFT - RIGHT));
  const toY = (value: number): number => round(FOOT - ((value - y.min) / (y.max - y.min)) * (FOOT - top));
  const frame: Frame = { x, y, toX, toY, top, isExact };
  const middle = (LEFT + WIDTH - RIGHT) / 2;
  const notes = notesOf(plot, all, finite, frame);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="gsva-plot" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeMarkup(title)}">`,
    `<style>${STYLE}</style>`,
    `<rect class="paper" width="${WIDTH}" height="${HEIGHT}" rx="8"/>`,
    `<text class="title" x="${LEFT}" y="27">${escapeMarkup(shorten(title, notes === '' ? 60 : 36))}</text>`,
    `<text class="soft" x="${WIDTH - RIGHT}" y="27" text-anchor="end">${escapeMarkup(notes)}</text>`,
    legend.svg,
    ...(finite.length === 0 ? [] : bands.map((band) => bandSvg(band, frame))),
    axes(frame),
    `<text class="soft" x="${middle}" y="${HEIGHT - 12}" text-anchor="middle">${escapeMarkup(shorten(plot.xLabel, 80))}</text>`,
    `<text class="soft" transform="translate(16 ${round((top + FOOT) / 2)}) rotate(-90)" text-anchor="middle">${escapeMarkup(shorten(plot.yLabel, 40))}</text>`,
    finite.length === 0 ? `<text class="soft" x="${middle}" y="${HEIGHT / 2}" text-anchor="middle">no data</text>` : '',
    ...series.map((each, index) => seriesPaths(each, colorOf(index), frame)),
    '</svg>',
  ].join('\n');
}

export function plotCards(plots: readonly LinePlot[]): Markup | null {
  if (plots.length === 0) return null;
  return markup`<div class="plots">\n${plots.map((plot) => markup`<div class="card">${raw(linePlotSvg(plot))}</div>`)}\n</div>`;
}

const FRACTION = [0, 1] as const;
const ZERO = [0, 0] as const;

/** Positions of values in the picture, and the shown range. */
interface Frame extends Record<'x' | 'y', AxisScale>, Record<'toX' | 'toY', (value: number) => number> {
  readonly top: number;
  readonly isExact: boolean;
}

const isBeyond = ([, y]: Point, { y: { min, max } }: Frame): boolean => y < min || y > max;

/** Remarks for a reader: means, and points that are moved or left out. */
function notesOf(plot: LinePlot, all: readonly Point[], finite: readonly Point[], frame: Frame): string {
  const beyond = finite.filter((point) => isBeyond(point, frame)).map(([, y]) => y);
  const furthest = beyond.reduce((most, y) => (Math.abs(y) > Math.abs(most) ? y : most), 0);
  const missing = all.length - finite.length;
  return [
    ...(!frame.isExact && plot.series.some(isLong) ? ['running means'] : []),
    ...(beyond.length === 0 ? [] : [`${beyond.length} beyond the axis, to ${Number(furthest.toPrecision(3))}`]),
    ...(missing === 0 ? [] : [`${missing} without a finite value`]),
  ].join('; ');
}

function bandSvg({ from, to, name }: NonNullable<LinePlot['bands']>[number], { toX, top }: Frame): string {
  const [left, right] = [toX(from), toX(to)];
  return (
    `<rect class="band" x="${left}" y="${top}" width="${round(Math.max(1, right - left))}" height="${FOOT - top}"/>` +
    `<text class="soft" x="${left + 4}" y="${top + 13}">${escapeMarkup(shorten(name, 30))}</text>`
  );
}

function axes({ x, y, toX, toY, top }: Frame): string {
  const rows = y.ticks.map((tick) => {
    const at = toY(tick);
    return (
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/>` +
      `<text class="soft" x="${LEFT - 8}" y="${round(at + 4)}" text-anchor="end">${y.format(tick)}</text>`
    );
  });
  const columns = x.ticks.map((tick) => {
    const at = toX(tick);
    return (
      `<line class="axis" x1="${at}" x2="${at}" y1="${FOOT}" y2="${FOOT + 4}"/>` +
      `<text class="soft" x="${at}" y="${FOOT + 18}" text-anchor="middle">${x.format(tick)}</text>`
    );
  });
  return [
    ...rows,
    ...columns,
    `<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${FOOT}" y2="${FOOT}"/>`,
    `<line class="axis" x1="${LEFT}" x2="${LEFT}" y1="${top}" y2="${FOOT}"/>`,
  ].join('\n');
}

function seriesPaths(series: PlotSeries, color: string, frame: Frame): string {
  const { toX, toY, y, isExact } = frame;
  const placeOf = (point: Point): Point => [toX(point[0]), toY(Math.min(y.max, Math.max(y.min, point[1])))];
  const draw = (points: readonly Point[], className: string): string => {
    let pen = 'M';
    let d = '';
    for (const point of points) {
      if (isDrawable(point)) d += `${pen}${placeOf(point).join(' ')}`;
      pen = isDrawable(point) ? 'L' : 'M';
    }
    return d === '' ? '' : `<path${className} stroke="${color}" d="${d}"/>`;
  };
  const marks = series.points
    .filter((point) => isDrawable(point) && isBeyond(point, frame))
    .slice(0, MOST_MARKS)
    .map((point) => {
      const [[at, edge], tip] = [placeOf(point), point[1] > y.max ? -7 : 7];
      return `<path class="beyond" fill="${color}" style="fill:${color}" d="M${at - 4} ${edge}h8L${at} ${edge + tip}z"/>`;
    })
    .join('');
  // Each of a few points, as of a validation, also a single one, which makes no line.
  const dots = (points: readonly Point[]): string => {
    if (points.length > 40) return '';
    const radius = points.length === 1 ? 5 : 2.6;
    const places = points.filter(isDrawable).map(placeOf);
    return places.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="${radius}" fill="${color}"/>`).join('');
  };
  if (isExact) return draw(thinExact(series.points), '') + dots(series.points);
  const points = thin(series.points);
  if (!isLong(series)) return draw(points, '') + dots(points) + marks;
  const onAxis = points.map((point): Point => (isDrawable(point) && isBeyond(point, frame) ? [point[0], NaN] : point));
  return draw(points, ' class="raw"') + draw(runningMean(onAxis), '') + marks;
}

/** The lowest and the highest point of each of equally long runs, in order: peaks and corners keep their places. */
function thinExact(points: readonly Point[]): readonly Point[] {
  const run = Math.ceil((2 * points.length) / MOST_POINTS);
  if (run <= 2) return points;
  return inRuns(points, run).flatMap((slice) => {
    const broken = slice.find((point) => !isDrawable(point));
    const sorted = slice.filter(isDrawable).sort((a, b) => a[1] - b[1]);
    const ends = [sorted[0], sorted.at(-1), broken].filter((point) => point !== undefined);
    return [...new Set(ends)].sort((a, b) => a[0] - b[0]);
  });
}

/** Means over equally long runs, at most MOST_POINTS; a run with a broken point is broken. */
function thin(points: readonly Point[]): readonly Point[] {
  const run = Math.ceil(points.length / MOST_POINTS);
  return run <= 1 ? points : inRuns(points, run).map(meanOf);
}

function inRuns(points: readonly Point[], run: number): (readonly Point[])[] {
  return Array.from({ length: Math.ceil(points.length / run) }, (_, i) => points.slice(i * run, (i + 1) * run));
}

/** Mean of the points around each point; shorter windows at both ends, so that nothing is shifted. */
function runningMean(points: readonly Point[]): Point[] {
  const reach = Math.ceil(points.length / 40);
  return points.map(([x], i) => {
    const half = Math.min(reach, i, points.length - 1 - i);
    const around = points.slice(i - half, i + half + 1).filter(isDrawable);
    return [x, around.length === 0 ? NaN : meanOf(around)[1]];
  });
}

function meanOf(points: readonly Point[]): Point {
  const sum = points.reduce<Point>((total, point) => [total[0] + point[0], total[1] + point[1]], [0, 0]);
  return [sum[0] / points.length, sum[1] / points.length];
}

/** Names with a stroke of their colour, in rows. Widths are estimates: SVG cannot measure. */
function layOutLegend(series: readonly PlotSeries[]): { readonly svg: string; readonly rows: number } {
  // The axis names a single series.
  if (series.length < 2) return { svg: '', rows: 0 };
  let x = LEFT;
  let row = 0;
  const entries = series.map(({ name }, index) => {
    const label = shorten(name, 36);
    const width = 40 + label.length * 6.6;
    if (x > LEFT && x + width > WIDTH - RIGHT) {
      x = LEFT;
      row++;
    }
    const y = 48 + row * LEGEND_ROW;
    const entry =
      `<rect x="${round(x)}" y="${y - 6}" width="16" height="4" rx="2" fill="${colorOf(index)}"/>` +
      `<text x="${round(x + 22)}" y="${y}">${escapeMarkup(label)}</text>`;
    x += width;
    return entry;
  });
  return { svg: entries.join('\n'), rows: row + 1 };
}

function isLong(series: PlotSeries): boolean {
  return series.points.length > SMOOTH_ABOVE;
}

/** False for NaN as well. */
function isDrawable(point: Point): boolean {
  return Math.abs(point[0]) <= LARGEST_DRAWN && Math.abs(point[1]) <= LARGEST_DRAWN;
}

function colorOf(index: number): string {
  return COLORS[index % COLORS.length] ?? 'currentColor';
}

/** Tenths of a unit are finer than a screen. */
function round(value: number): number {
  return Math.round(value * 10) / 10;
}
