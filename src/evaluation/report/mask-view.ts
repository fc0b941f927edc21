/**
 * Pictures on a page with a choice of expressions, whose true and predicted masks are then shown alone. Radio buttons
 * and style rules do it, so the page runs nothing, and the arrow keys work.
 */
import type { BinaryMask } from '../../types.js';
import { maskArea } from '../metrics/mask-overlap.js';
import { maskPath, expressionColor } from './overlay.js';
import { type Markup, markup, type Piece, raw } from './markup.js';

export interface ViewedExpression {
  readonly truth: BinaryMask | null;
  readonly prediction: BinaryMask | null;
  /** Why nothing is drawn: "rejected". */
  readonly without: string;
}

export interface MaskView {
  /** Unique on the page, of letters, digits and "-". */
  readonly id: string;
  readonly height: number;
  readonly width: number;
  readonly image: string;
  readonly hasTruth: boolean;
  /** Whether the image without masks stands next to the others. */
  readonly showsImage: boolean;
  readonly backdrop: 'pale' | 'natural' | 'dark';
  readonly expressions: readonly ViewedExpression[];
}

export function viewPictures(view: MaskView): Markup {
  const { id, height, width, image, expressions } = view;
  const source = markup`<image id="${id}-image" href="${image}" width="${width}" height="${height}" preserveAspectRatio="none"/>`;
  const again = markup`<use href="#${id}-image"/>`;
  const truth = view.hasTruth ? layers(view, ({ truth: mask }) => mask, 'absent: nothing to draw') : null;
  const prediction = layers(view, ({ prediction: mask }) => mask, null);
  const shown = [
    ...(view.showsImage ? [['Image', null] as const] : []),
    ...(truth === null ? [] : [['Ground truth', truth] as const]),
    ['Prediction', prediction] as const,
  ];
  const pictures = shown.map(([caption, masks], i) => {
    const backdrop = masks === null ? 'natural' : view.backdrop;
    const label = `${caption}, ${expressions.length} expression${expressions.length === 1 ? '' : 's'}`;
    return markup`<figure><figcaption>${caption}</figcaption>
<svg class="masks" viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">
<rect class="under ${backdrop}" width="${width}" height="${height}"/>
<g class="${backdrop}">${i === 0 ? source : again}</g>${masks}</svg></figure>`;
  });
  return markup`<div class="pictures">\n${pictures}\n</div>`;
}

function layers(
  { height, width, expressions }: MaskView,
  maskOf: (expression: ViewedExpression) => BinaryMask | null,
  absent: string | null,
): Markup[] {
  return expressions
    .map((expression, index) => ({ expression, index, mask: maskOf(expression) }))
    .sort((a, b) => maskArea(b.mask) - maskArea(a.mask)) // the small ones over the large ones
    .map(({ expression, index, mask }) => {
      const path = mask === null ? '' : maskPath(mask);
      if (path !== '') {
        const color = expressionColor(index);
        return markup`<path class="layer layer-${index}" fill="${color}" stroke="${color}" transform="scale(.5)" d="${path}"/>`;
      }
      const words = mask === null || absent === null ? expression.without : absent;
      const size = Math.max(4, Math.round(width / 16));
      return markup`<text class="layer layer-${index} without" x="${width / 2}" y="${height / 2}" font-size="${size}" text-anchor="middle">${words}</text>`;
    });
}

/** A button of the view `id`: it shows one expression alone, or all together, which is the first choice. */
export function choice(id: string, which: number | 'all', label: Piece): Markup {
  const checked = which === 'all' ? raw(' checked') : null;
  return markup`<label class="choose"><input type="radio" class="pick-${which}" name="${id}"${checked}>${label}</label>`;
}

/** The rules for views of up to `most` expressions. */
export function viewRules(most: number): string {
  return Array.from({ length: most }, (_, index) => {
    const chosen = `.view:has(.pick-${index}:checked)`;
    return (
      `${chosen} .layer:not(.layer-${index}){display:none}\n${chosen} .without.layer-${index}{display:inline}\n` +
      `${chosen} path.layer{fill-opacity:.5}`
    );
  }).join('\n');
}
