/** LISA's way of asking and answering (systems/shared/single-target-dialogue.ts), with the explanations of its recipe. */
import type { Tokenizer } from '../../data/text/tokenizer.js';
import { IMAGE_TOKEN_ID } from '../../special-tokens.js';
import { chatTurn, EXPLANATION_ONLY_SHARE } from '../shared/lisa-prompts.js';
import { SingleTargetDialogue } from '../shared/single-target-dialogue.js';

export class LisaDialogue extends SingleTargetDialogue {
  /** @param explanationOnly share of explained pictures that are answered in words alone; below 0: never explain */
  constructor(explanationOnly = EXPLANATION_ONLY_SHARE) {
    super({ maxTokens: 512, turn: chatTurn, shown: printedAnswer }, explanationOnly);
  }
}

/** Prompt and answer as one line, added tokens included (reference: chat.py). */
export function printedAnswer(tokenizer: Tokenizer, ids: readonly number[]): string {
  const text = tokenizer.decode(ids.filter((id) => id !== IMAGE_TOKEN_ID));
  return text.replaceAll('\n', '').replaceAll('  ', ' ');
}

/** Files that LISA's own program saves of an answer: the first mask, alone and over the picture; none without a mask. */
export function savedFiles(picture: string, masks: number): readonly string[] {
  const name = picture.replace(/^.*[/\\]/, '').replace(/\..*$/, '');
  return masks === 0 ? [] : [`${name}_mask_0.jpg`, `${name}_masked_img_0.jpg`];
}
