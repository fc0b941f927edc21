/** Ids of the added tokens of published models, which their config.json does not hold: those that the tokenizer gives. */
import { Tokenizer } from '../../../data/text/tokenizer.js';
import { UserError } from '../../../errors.js';
import { IGNORE_LABEL, IMAGE_TOKEN_ID } from '../../../special-tokens.js';
import type { Vocabulary } from '../../system.js';
import { ADDED_TOKENS } from '../decision-tokens.js';
import type { TokenIds } from '../model-config.js';

type AddedTokens = Pick<Vocabulary, 'added' | 'addedTokenSpaces'>;

export const GSVA_TOKENS: AddedTokens = { added: ADDED_TOKENS, addedTokenSpaces: 'kept' };

/** Looked up by their text: an id that is taken for granted would be another token in another vocabulary. */
export function specialTokens(dir: string, { added, addedTokenSpaces }: AddedTokens): TokenIds {
  const tokenizer = Tokenizer.fromDirectory(dir, { addedTokenSpaces });
  tokenizer.addTokens(added);
  const idOf = (token: string): number => {
    const id = tokenizer.tokenId(token);
    if (id !== undefined) return id;
    throw new UserError(`Reading the tokenizer of ${dir}: it does not know ${token}, not even after adding it.`);
  };
  const [seg, rej, imStart, imEnd] = ADDED_TOKENS;
  return {
    seg: idOf(seg),
    rej: idOf(rej),
    imStart: idOf(imStart),
    imEnd: idOf(imEnd),
    image: IMAGE_TOKEN_ID,
    ignore: IGNORE_LABEL,
    pad: tokenizer.padId,
    bos: tokenizer.bosId,
    eos: tokenizer.eosId,
  };
}
