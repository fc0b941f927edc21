/** The tokenizer against cases.json: texts with the ids of LLaMA's slow tokenizer after GSVA's tokens were added. */
import { readTokenizer } from '../data/read-tokenizer.js';
import { ADDED_TOKENS } from '../systems/shared/decision-tokens.js';
import { numbers, openRecorded } from './datasets-recorded.js';
import { itemsOf, Mismatches, type VerifyItem } from './verify-item.js';

/** @throws UserError where a file is missing or malformed */
export function verifyTokenizer(dir: string): VerifyItem[] {
  const advice = 'Use the recorded tokenizer folder (tokenizer.model and cases.json).';
  const root = openRecorded('the recorded tokenizer cases', dir, 'cases.json', advice);
  const tokenizer = readTokenizer(dir);
  const vocabulary = new Mismatches('vocabulary and added tokens');
  vocabulary.compare('vocabulary size', tokenizer.vocabSize, root.key('vocab_size').integer());
  tokenizer.addTokens(ADDED_TOKENS);
  vocabulary.compare('size with added tokens', tokenizer.vocabSize, root.key('total').integer());
  for (const [token, id] of root.key('added').entries()) {
    vocabulary.compare(`id of ${token}`, tokenizer.tokenId(token) ?? 'none', id.integer());
  }
  const withBos = new Mismatches('token ids');
  const withoutBos = new Mismatches('token ids without <s>');
  for (const item of root.key('cases').list()) {
    const text = item.key('text').text();
    withBos.compare(JSON.stringify(text), tokenizer.encode(text), numbers(item.key('ids')));
    const bare = tokenizer.encode(text, { addBos: false });
    withoutBos.compare(JSON.stringify(text), bare, numbers(item.key('ids_no_special')));
  }
  return itemsOf(vocabulary, withBos, withoutBos);
}
