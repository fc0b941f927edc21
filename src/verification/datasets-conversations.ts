/** expected_vqa.json: the conversations of LLaVA-Instruct-150K as text, ids and labels. */
import { LlavaInstruct } from '../data/vqa/llava-instruct.js';
import type { JsonPlace } from '../data/annotation-files.js';
import type { Tokenizer } from '../data/text/tokenizer.js';
import { turnsOf } from '../data/vqa/vqa-sample.js';
import { ConversationMismatches, RECORDED_STYLES } from './datasets-recorded.js';
import { Mismatches } from './mismatches.js';
import type { VerifyItem } from './verify-item.js';

const TITLE = 'llava_instruct_150k';

/** @throws UserError where a style or a file is missing */
export function verifyConversations(expected: JsonPlace, dataDir: string, tokenizer: Tokenizer): VerifyItem[] {
  const set = LlavaInstruct.open(dataDir);
  return RECORDED_STYLES.flatMap((style) => {
    const counts = new Mismatches(`${TITLE}, ${style}: number of conversations`);
    const conversations = new ConversationMismatches(TITLE, style, tokenizer);
    const entries = expected.key(style).list();
    counts.compare('conversations', set.length, entries.length);
    for (const [i, entry] of entries.entries()) {
      if (i < set.length) conversations.compare(`conversation ${i}`, turnsOf(set.requestAt(i)), entry);
    }
    return [counts.item(), ...conversations.items()];
  });
}
