/** Conversation with a person: free questions in several rounds, and the answer as LISA's own program prints it. */
import type { Turn } from '../../data/text/conversation.js';
import type { Tokenizer } from '../../data/text/tokenizer.js';
import { IMAGE_TOKEN_ID } from '../../special-tokens.js';
import { withImage } from '../shared/lisa-prompts.js';

/** Turn of a question; the picture stands in the first one. */
export function chatTurn(question: string, isFirst: boolean): Turn {
  return { user: isFirst ? withImage(question) : question, assistant: null };
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
