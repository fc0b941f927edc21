/** SELF1E's recorded batches: padded ids, labels, positions and the matrix of what each token sees. */
import type { JsonPlace } from '../data/annotation-files.js';
import { padBatch } from '../data/text/conversation.js';
import type { Tokenizer } from '../data/text/tokenizer.js';
import { visibleKeys } from '../systems/self1e/attention-rule.js';
import type { Self1eIds } from '../systems/self1e/tokens.js';
import { numbers, texts } from './datasets-recorded.js';
import { expandedRow, textOf, turnsOf } from './self1e-words.js';
import { itemsOf, Mismatches, type VerifyItem } from './verify-item.js';

export function verifySelf1eBatches(batches: JsonPlace, tokenizer: Tokenizer, ids: Self1eIds): VerifyItem[] {
  const words = new Mismatches('SELF1E: padded batches, ids, labels and positions');
  const attention = new Mismatches('SELF1E: padded batches, what each token sees');
  for (const [name, batch] of batches.entries()) {
    const conversations = texts(batch.key('conversations'));
    const counts = visionTokens(batch, conversations.length);
    const maxLength = batch.key('model_max_length').integer();
    const rows = conversations.map((text, i) => {
      words.compare(text, textOf(turnsOf(text)), text);
      return expandedRow(tokenizer, turnsOf(text), counts[i] as number, ids, maxLength);
    });
    const padded = padBatch(rows, tokenizer.padId);
    const { inputIds, labels, lengths, time } = padded;
    const positions = lengths.flatMap((length) => Array.from({ length: time }, (_, i) => (i < length ? i : 0)));
    words.compare(`ids of ${name}`, inputIds, matrix(batch.key('input_ids')));
    words.compare(`labels of ${name}`, labels, matrix(batch.key('labels')));
    words.compare(`positions of ${name}`, positions, matrix(batch.key('position_ids')));
    const visible = visibleKeys({ ids: inputIds, batch: rows.length, time }, ids);
    const recorded = batch.key('attends').array().flatMap(texts).join('');
    attention.compare(`attention of ${name}`, visible.join(''), recorded);
  }
  return itemsOf(words, attention);
}

/** Vision tokens of every sequence: "tiles" counts by picture, "offset" says which sequences are about it. */
function visionTokens(batch: JsonPlace, sequences: number): number[] {
  const tiles = numbers(batch.key('tiles'));
  const offset = numbers(batch.key('offset'));
  const perTile = batch.key('num_image_token').integer();
  return Array.from({ length: sequences }, (_, i) => {
    const picture = offset.findLastIndex((from) => from <= i);
    return (tiles[picture] ?? batch.key('tiles').fail(`a count for picture ${picture}`)) * perTile;
  });
}

function matrix(rows: JsonPlace): number[] {
  return rows.array().flatMap(numbers);
}
