/** The tokenizer against cases.json: texts with the ids of LLaMA's slow tokenizer after GSVA's tokens were added. */
import { join } from 'node:path';

import { JsonPlace, readJsonFile } from '../data/annotation-files.js';
import { Tokenizer } from '../data/text/tokenizer.js';
import { ADDED_TOKENS } from '../systems/shared/decision-tokens.js';
import { Mismatches, type VerifyItem } from './verify-item.js';

const NAME = 'the recorded tokenizer cases';
const ADVICE = 'Use the recorded tokenizer folder (tokenizer.model and cases.json).';

/** @throws UserError where a file is missing or malformed */
export function verifyTokenizer(dir: string): Promise<VerifyItem[]> {
  // Nothing here waits, but all verifications share one signature; a thrown error becomes a rejection.
  return Promise.resolve().then(() => {
    const path = join(dir, 'cases.json');
    const root = new JsonPlace(readJsonFile(NAME, path, ADVICE), NAME, path);
    const tokenizer = Tokenizer.fromDirectory(dir);
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
      const ids = (key: string): string => joined(item.key(key).list());
      withBos.compare(JSON.stringify(text), tokenizer.encode(text).join(' '), ids('ids'));
      const bare = tokenizer.encode(text, { addBos: false }).join(' ');
      withoutBos.compare(JSON.stringify(text), bare, ids('ids_no_special'));
    }
    return [vocabulary, withBos, withoutBos].map((mismatches) => mismatches.item());
  });
}

function joined(ids: readonly JsonPlace[]): string {
  return ids.map((id) => id.integer()).join(' ');
}
