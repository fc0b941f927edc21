/** Ids of the added tokens of published models, which their config.json does not hold: those that the tokenizer gives. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TokenIds } from '../model-config.js';
import type { ConversationStyle } from '../../../data/text/conversation.js';
import { readTokenizer } from '../../../data/read-tokenizer.js';
import { UserError } from '../../../errors.js';
import {
  ADDED_TOKENS,
  IMAGE_PATCH_TOKEN,
  LISA_TOKENS,
  LISA_V0_TOKENS,
  REJ_TOKEN,
  SEG_TOKEN,
} from '../decision-tokens.js';
import { IGNORE_LABEL, IMAGE_END_TOKEN, IMAGE_START_TOKEN, IMAGE_TOKEN_ID } from '../../../special-tokens.js';
import type { Vocabulary } from '../../system.js';

type AddedTokens = Pick<Vocabulary, 'added' | 'addedTokenSpaces'>;

const GSVA_TOKENS: AddedTokens = { added: ADDED_TOKENS, addedTokenSpaces: 'kept' };
/** The first LISA has SAM in a file of its own. */
const V0_FILE = 'pytorch_model-visual_model.bin';

/**
 * A published form of text: tokens, and the style of conversation where none is named.
 * @param mllm folder of the multimodal LLM
 */
export function publishedWords(
  system: 'gsva' | 'lisa',
  mllm: string,
): { readonly tokens: AddedTokens; readonly conversation: ConversationStyle } {
  if (system === 'gsva') return { tokens: GSVA_TOKENS, conversation: 'llava_v1' };
  if (existsSync(join(mllm, V0_FILE))) return { tokens: LISA_V0_TOKENS, conversation: 'vicuna' };
  return { tokens: LISA_TOKENS, conversation: 'llava_v1' };
}

/** Looked up by their text: an id that is taken for granted would be another token in another vocabulary. */
export function specialTokens(dir: string, { added, addedTokenSpaces }: AddedTokens): TokenIds {
  const tokenizer = readTokenizer(dir, { addedTokenSpaces });
  tokenizer.addTokens(added);
  const idOf = (token: string): number => {
    const id = tokenizer.tokenId(token);
    if (id !== undefined) return id;
    throw new UserError(`Reading the tokenizer of ${dir}: it does not know ${token}, not even after adding it.`);
  };
  return {
    seg: idOf(SEG_TOKEN),
    ...(added.includes(REJ_TOKEN) ? { rej: idOf(REJ_TOKEN) } : {}),
    ...(added.includes(IMAGE_PATCH_TOKEN) ? { imPatch: idOf(IMAGE_PATCH_TOKEN) } : {}),
    imStart: idOf(IMAGE_START_TOKEN),
    imEnd: idOf(IMAGE_END_TOKEN),
    image: IMAGE_TOKEN_ID,
    ignore: IGNORE_LABEL,
    pad: tokenizer.padId,
    bos: tokenizer.bosId,
    eos: tokenizer.eosId,
  };
}
