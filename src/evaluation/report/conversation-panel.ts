/** One picture of a sample as training uses it: each conversation, the image, its targets and their names. */
import type { Lesson } from '../../data/facts.js';
import { writeFileAtomic } from '../../io/atomic/atomic-file.js';
import type { BinaryMask, RgbImage } from '../../types.js';
import { withoutImage } from '../conversations.js';
import { maskArea } from '../metrics/mask-overlap.js';
import { expressionColor, layersOf, overlayMasks, scaledImage } from './overlay.js';
import { GAP, MARGIN, Sheet, type TextStyle } from './svg-text.js';

const ROW = 26;
const WIDTH = 840;
/** Two pictures next to each other. */
const PICTURE_WIDTH = (WIDTH - 2 * MARGIN - GAP) / 2;
const MOST_LINES = 12;
const MOST_TARGETS = 40;

const NOTE: TextStyle = { size: 12, color: '#5b667a' };
const QUESTION: TextStyle = { size: 16, color: '#1d2433', bold: true };
const ANSWER: TextStyle = { size: 14, color: '#1d2433' };

export async function writeConversationPanel(
  path: string,
  title: string,
  image: RgbImage,
  conversations: readonly Lesson[],
  systemFonts?: boolean,
): Promise<void> {
  const sheet = await Sheet.ofWidth(WIDTH, systemFonts);
  sheet.paragraph(title, NOTE, MOST_LINES);
  const scale = Math.min(8, PICTURE_WIDTH / Math.max(image.height, image.width));
  const plain = scaledImage(image, scale);
  for (const { turns, targets } of conversations) {
    sheet.y += 6;
    for (const { user, assistant } of turns) {
      sheet.paragraph(withoutImage(user), QUESTION, MOST_LINES);
      sheet.paragraph(assistant ?? '', ANSWER, MOST_LINES);
      sheet.y += 4;
    }
    sheet.picture(plain, MARGIN, sheet.y);
    if (targets.length > 0) {
      const masks = layersOf(targets.map(({ mask }) => mask));
      sheet.picture(await overlayMasks(image, masks, { scale }), MARGIN + PICTURE_WIDTH + GAP, sheet.y);
    }
    sheet.y += plain.height + GAP;
    for (const [i, { text, mask }] of targets.slice(0, MOST_TARGETS).entries()) {
      addLegend(sheet, text, mask, expressionColor(i));
    }
    if (targets.length > MOST_TARGETS) sheet.paragraph(`and ${targets.length - MOST_TARGETS} more`, NOTE, 1);
  }
  sheet.y += MARGIN;
  writeFileAtomic(path, await sheet.png());
}

/** A swatch, empty for [REJ]; the name; the target's size. */
function addLegend(sheet: Sheet, text: string, mask: BinaryMask | null, color: string): void {
  const fill = mask === null ? 'none' : color;
  const [noteX, top] = [WIDTH - MARGIN - 170, sheet.y];
  sheet.shape(
    `<rect x="${MARGIN + 1}" y="${top + 3}" width="16" height="16" rx="4" fill="${fill}" stroke="${color}" stroke-width="2"/>`,
  );
  sheet.line(text, MARGIN + 28, top + 16, noteX - MARGIN - 40, ANSWER);
  sheet.line(mask === null ? '[REJ]' : `[SEG] ${maskArea(mask)} pixels`, noteX, top + 16, 170, NOTE);
  sheet.y += ROW;
}
