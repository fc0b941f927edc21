/**
 * Line plots as SVG text: one file without scripts or outside references, readable on light and dark pages. Drawn
 * here because a plot library would bring a browser or a canvas for what is a few paths.
 */
import { LARGEST_DRAWN, axisScale } from './line-scale.js';
import type { AxisScale } from './line-scale.js';
import { escapeMarkup, shorten } from './text-escape.js';

export interface PlotSeries {
  readonly name: string;
  /** In drawing order. A point that is not finite breaks the line. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface LinePlot {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly PlotSeries[];
}

const WIDTH = 640;
const HEIGHT = 360;
const LEFT = 62;
const RIGHT = 18;
const BOTTOM = 50;
const LEGEND_ROW = 20;
const COLORS = ['#3b82f6', '#f0762b', '#12a57c', '#d946a0', '#8b5cf6', '#c99a06', '#06a5c4', '#ef4461'];
/** A series with more points than this is drawn pale, with its running mean over it. */
const SMOOTH_ABOVE = 80;
/** No path holds more points: more cannot be seen. */
const MOST_POINTS = 800;

/** The same rules in every plot, so that several may stand in one page. */
const STYLE = `.gsva-plot{color:#1d2433;font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
.gsva-plot text{fill:currentColor}.gsva-plot .soft{opacity:.65}.gsva-plot .title{font-size:15px;font-weight:600}
.gsva-plot .paper{fill:#fff}.gsva-plot .grid{stroke:currentColor;stroke-opacity:.12}.gsva-plot .axis{stroke:currentColor;stroke-opacity:.45}
.gsva-plot path{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.gsva-plot path.raw{stroke-width:1;stroke-opacity:.3}
@media (prefers-color-scheme:dark){.gsva-plot{color:#e4e8f1}.gsva-plot .paper{fill:#171b24}}`;

type Point = readonly [number, number];

/** The plot as one `<svg>` element, 640×360 units, that fills the width it is given. */
export function linePlotSvg(plot: LinePlot): string {
  const finite = plot.series.flatMap((series) => series.points.filter(isDrawable));
  const x = axisScale(
    finite.map((point) => point[0]),
    7,
    'exact',
  );
  const y = axisScale(
    finite.map((point) => point[1]),
    5,
    'round',
  );
  const legend = layOutLegend(plot.series);
  const top = 44 + legend.rows * LEGEND_ROW;
  const toX = (value: number): number => LEFT + ((value - x.min) / (x.max - x.min)) * (WIDTH - LEFT - RIGHT);
  const toY = (value: number): number =>
    HEIGHT - BOTTOM - ((value - y.min) / (y.max - y.min)) * (HEIGHT - BOTTOM - top);
  const paths = plot.series.map((series, index) => seriesPaths(series, colorOf(index), toX, toY));
  const middle = (LEFT + WIDTH - RIGHT) / 2;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="gsva-plot" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeMarkup(plot.title)}">`,
    `<style>${STYLE}</style>`,
    `<rect class="paper" width="${WIDTH}" height="${HEIGHT}" rx="8"/>`,
    `<text class="title" x="${LEFT}" y="27">${escapeMarkup(shorten(plot.title, 60))}</text>`,
    plot.series.some(isSmoothed)
      ? `<text class="soft" x="${WIDTH - RIGHT}" y="27" text-anchor="end">running means</text>`
      : '',
    legend.svg,
    axes(x, y, toX, toY, top),
    `<text class="soft" x="${middle}" y="${HEIGHT - 12}" text-anchor="middle">${escapeMarkup(shorten(plot.xLabel, 80))}</text>`,
    `<text class="soft" transform="translate(16 ${round((top + HEIGHT - BOTTOM) / 2)}) rotate(-90)" text-anchor="middle">${escapeMarkup(shorten(plot.yLabel, 40))}</text>`,
    finite.length === 0 ? `<text class="soft" x="${middle}" y="${HEIGHT / 2}" text-anchor="middle">no data</text>` : '',
    ...paths,
    '</svg>',
  ].join('\n');
}

function axes(
  x: AxisScale,
  y: AxisScale,
  toX: (value: number) => number,
  toY: (value: number) => number,
  top: number,
): string {
  const bottom = HEIGHT - BOTTOM;
  const rows = y.ticks.map((tick) => {
    const at = round(toY(tick));
    return (
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/>` +
      `<text class="soft" x="${LEFT - 8}" y="${round(at + 4)}" text-anchor="end">${y.format(tick)}</text>`
    );
  });
  const columns = x.ticks.map((tick) => {
    const at = round(toX(tick));
    return (
      `<line class="axis" x1="${at}" x2="${at}" y1="${bottom}" y2="${bottom + 4}"/>` +
      `<text class="soft" x="${at}" y="${bottom + 18}" text-anchor="middle">${x.format(tick)}</text>`
    );
  });
  return [
    ...rows,
    ...columns,
    `<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${bottom}" y2="${bottom}"/>`,
    `<line class="axis" x1="${LEFT}" x2="${LEFT}" y1="${top}" y2="${bottom}"/>`,
  ].join('\n');
}

function seriesPaths(
  series: PlotSeries,
  color: string,
  toX: (value: number) => number,
  toY: (value: number) => number,
): string {
  const draw = (points: readonly Point[], className: string): string => {
    let pen = 'M';
    let d = '';
    for (const point of points) {
      if (isDrawable(point)) d += `${pen}${round(toX(point[0]))} ${round(toY(point[1]))}`;
      pen = isDrawable(point) ? 'L' : 'M';
    }
    return d === '' ? '' : `<path${className} stroke="${color}" d="${d}"/>`;
  };
  const points = thin(series.points);
  if (isSmoothed(series)) return draw(points, ' class="raw"') + draw(runningMean(points), '');
  // Few points, as of a validation: each is shown, also where a single one makes no line and marks a place.
  const radius = points.length === 1 ? 5 : 2.6;
  const dots = points
    .filter(isDrawable)
    .map(([px, py]) => `<circle cx="${round(toX(px))}" cy="${round(toY(py))}" r="${radius}" fill="${color}"/>`);
  return draw(points, '') + (points.length <= 40 ? dots.join('') : '');
}

/** Means over equally long runs, so that at most MOST_POINTS remain; a run holding a broken point is broken. */
function thin(points: readonly Point[]): readonly Point[] {
  const run = Math.ceil(points.length / MOST_POINTS);
  if (run <= 1) return points;
  const out: Point[] = [];
  for (let start = 0; start < points.length; start += run) out.push(meanOf(points.slice(start, start + run)));
  return out;
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

/** Names with a stroke of their colour, in as many rows as they need. Widths are estimates: SVG cannot measure. */
function layOutLegend(series: readonly PlotSeries[]): { readonly svg: string; readonly rows: number } {
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
  return { svg: entries.join('\n'), rows: series.length === 0 ? 0 : row + 1 };
}

function isSmoothed(series: PlotSeries): boolean {
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
