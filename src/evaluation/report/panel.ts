/**
 * One picture of a sample: the expressions, the image, the ground truth if any, the prediction, a legend with the
 * outcome of each expression, and the masks of each expression alone.
 */
import { writeFileAtomic } from '../../io/atomic/atomic-file.js';
import type { BinaryMask, RgbImage } from '../../types.js';
import { displayScale, expressionColor, layersOf, overlayMasks, scaledImage } from './overlay.js';
import { formatFigure } from '../figures.js';
import { type ExpressionOutcome, judgeSample, sampleHeading } from './report-data.js';
import type { ReportSample, Verdict } from './report-data.js';
import { drawTiles } from './scene-pictures.js';
import { GAP, MARGIN, Sheet, type TextStyle } from './svg-text.js';

const CAPTION_ROW = 22;
const LEGEND_ROW = 28;
/** Narrower panels would cut their legend. */
const LEAST_WIDTH = 640;
/** Longer legends end with a line that counts the rest. */
const MOST_LEGEND_ROWS = 40;

const HEADING: TextStyle = { size: 17, color: '#1d2433', bold: true };
const CAPTION: TextStyle = { size: 12, color: '#5b667a' };
const ENTRY: TextStyle = { size: 15, color: '#1d2433' };
const VERDICT_COLOR: Readonly<Record<NonNullable<Verdict>, string>> = {
  right: '#0b7a53',
  inexact: '#a36a00',
  wrong: '#c22a43',
};

/** The panel as a PNG file's bytes. `systemFonts` is detected by default. */
export async function panelPng(sample: ReportSample, systemFonts?: boolean): Promise<Buffer> {
  const { image, targets, results } = sample;
  const scale = displayScale(image, targets.length === 0 ? 448 : 384);
  const draw = (all: readonly { readonly mask: BinaryMask | null }[]): Promise<RgbImage> =>
    overlayMasks(image, layersOf(all.map(({ mask }) => mask)), { scale });
  const plain = scaledImage(image, scale);
  const pictures = [
    ['Image', plain] as const,
    ...(targets.length === 0 ? [] : [['Ground truth', await draw(targets)] as const]),
    ['Prediction', await draw(results)] as const,
  ];
  const rowWidth = pictures.length * (plain.width + GAP) - GAP;
  const sheet = await Sheet.ofWidth(Math.max(LEAST_WIDTH, rowWidth + 2 * MARGIN), systemFonts);
  sheet.paragraph(sampleHeading(sample), HEADING, 3);
  sheet.y += 8;
  const left = Math.round((sheet.width - rowWidth) / 2);
  for (const [index, [caption, picture]] of pictures.entries()) {
    const x = left + index * (plain.width + GAP);
    sheet.line(caption, x, sheet.y + CAPTION.size, plain.width, CAPTION);
    sheet.picture(picture, x, sheet.y + CAPTION_ROW);
  }
  sheet.y += CAPTION_ROW + plain.height + GAP;
  addLegend(sheet, judgeSample(sample));
  await addTiles(sheet, sample);
  sheet.y += MARGIN - 8;
  return sheet.png();
}

/**
 * Writes the panel of a sample, for example of `gsva segment --out`.
 * @throws UserError when the file cannot be written or the sample's masks, results and targets do not match
 */
export async function writePanelPng(path: string, sample: ReportSample): Promise<void> {
  writeFileAtomic(path, await panelPng(sample));
}

async function addTiles(sheet: Sheet, sample: ReportSample): Promise<void> {
  const { tiles, height } = await drawTiles(sample, sheet.inner);
  if (tiles.length === 0) return;
  sheet.y += GAP;
  sheet.paragraph(`Each alone: ${sample.targets.length === 0 ? '' : 'ground truth and '}prediction`, CAPTION, 1);
  sheet.y += GAP / 2;
  for (const { left, top, color, caption, image } of tiles) {
    const [x, y] = [MARGIN + left, sheet.y + top];
    sheet.shape(`<rect x="${x}" y="${y + 2}" width="12" height="12" rx="3" fill="${color}"/>`);
    sheet.line(caption, x + 18, y + 12, image.width - 18, CAPTION);
    sheet.picture(image, x, y + CAPTION_ROW);
  }
  sheet.y += height;
}

function addLegend(sheet: Sheet, outcomes: readonly ExpressionOutcome[]): void {
  const listed = outcomes.slice(0, MOST_LEGEND_ROWS);
  const noteWidth = Math.max(0, ...listed.map((outcome) => sheet.widthOf(noteOf(outcome), ENTRY)));
  const noteX = Math.max(MARGIN + sheet.inner / 4, MARGIN + sheet.inner - noteWidth);
  for (const [index, outcome] of listed.entries()) {
    addEntry(sheet, outcome, expressionColor(index), noteX);
    sheet.y += LEGEND_ROW;
  }
  if (outcomes.length === listed.length) return;
  const rest = `and ${outcomes.length - listed.length} more expressions`;
  sheet.line(rest, MARGIN, sheet.y + 19, sheet.inner, CAPTION);
  sheet.y += LEGEND_ROW;
}

/** A swatch (crossed out where nothing was drawn), the expression, and at `noteX` its outcome. */
function addEntry(sheet: Sheet, outcome: ExpressionOutcome, color: string, noteX: number): void {
  const { result, verdict } = outcome;
  const [x, y] = [MARGIN, sheet.y + 5];
  sheet.shape(
    result.status === 'segmented'
      ? `<rect x="${x}" y="${y}" width="18" height="18" rx="5" fill="${color}"/>`
      : `<rect x="${x + 1}" y="${y + 1}" width="16" height="16" rx="4" fill="none" stroke="${color}" stroke-width="2"/>` +
          `<path d="M${x + 5.5} ${y + 5.5}l7 7m0 -7l-7 7" stroke="${color}" stroke-width="2"/>`,
  );
  sheet.line(result.expression, x + 28, y + 14, noteX - x - 64, ENTRY);
  if (verdict !== null) sheet.shape(verdictMark(verdict, noteX - 20, y + 9));
  const noteColor = verdict === null ? CAPTION.color : VERDICT_COLOR[verdict];
  sheet.line(noteOf(outcome), noteX, y + 14, MARGIN + sheet.inner - noteX, { ...ENTRY, color: noteColor });
}

function noteOf({ result, iou, words }: ExpressionOutcome): string {
  const asked = result.status === 'rejected' && result.rejectProbability !== null;
  return [
    words,
    ...(iou === null ? [] : [`IoU ${formatFigure(iou)}`]),
    ...(asked ? [`P(reject) ${formatFigure(result.rejectProbability)}`] : []),
  ].join(', ');
}

/** A tick, a wave or a cross, drawn, because not every font has them. */
function verdictMark(verdict: NonNullable<Verdict>, x: number, y: number): string {
  const strokes = { right: 'l4 4l7 -9', inexact: 'q3 -5 6 0t6 0', wrong: 'm1 -5l10 10m0 -10l-10 10' };
  return `<path d="M${x} ${y}${strokes[verdict]}" fill="none" stroke="${VERDICT_COLOR[verdict]}" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round"/>`;
}
