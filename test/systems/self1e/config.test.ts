/** config.json of SELF1E: there and back, and one clear line for each mistake. */
import { describe, expect, test } from '@jest/globals';
import { without } from '../../../src/schema.js';
import { readSelf1eConfig, self1eConfigToJson, visionTokens } from '../../../src/systems/self1e/config.js';
import { SMALL_SELF1E, SMALL_SELF1E_JSON } from '../../helpers/small-self1e.js';

type Json = Record<string, Record<string, unknown>>;

/** A message for the sizes with other values in one section. */
function messageOf(section: string, changes: Readonly<Record<string, unknown>>): string {
  const json = SMALL_SELF1E_JSON as unknown as Json;
  try {
    readSelf1eConfig({ ...json, [section]: { ...json[section], ...changes } }, 'here/config.json');
  } catch (error) {
    return (error as Error).message;
  }
  return 'no error';
}

test('written and read it is the same', () => {
  expect(readSelf1eConfig(self1eConfigToJson(SMALL_SELF1E), 'there')).toEqual(SMALL_SELF1E);
  const { refill } = SMALL_SELF1E_JSON;
  const written = { ...SMALL_SELF1E_JSON, refill: { ...refill, deviation: 0.02 } };
  expect(self1eConfigToJson(SMALL_SELF1E)).toEqual(written);
});

test('tokens of a tile are blocks of patches', () => {
  expect(visionTokens(SMALL_SELF1E)).toBe(4);
  expect(visionTokens({ vision: { ...SMALL_SELF1E.vision, imageSize: 448, patchSize: 14 } })).toBe(256);
});

describe('errors', () => {
  test.each([
    ['vision', { image_size: 20 }, /^here\/config\.json: "vision\.image_size" is 20, expected a multiple of twice/],
    [
      'vision',
      { hidden_size: 9 },
      /"vision\.hidden_size" is 9, expected a multiple of vision\.num_attention_heads \(2\)/,
    ],
    ['llm', { hidden_size: 20 }, /"llm\.hidden_size" is 20, expected a multiple of twice llm\.num_attention_heads/],
    [
      'llm',
      { num_key_value_heads: 3 },
      /"llm\.num_attention_heads" is 4, expected a multiple of llm\.num_key_value_heads/,
    ],
    [
      'lora',
      { targets: ['q_porj'] },
      /"lora\.targets\[0\]" is "q_porj", expected a projection; did you mean "q_proj"\?/,
    ],
    [
      'lora',
      { vision_targets: ['attn.kqv'] },
      /"lora\.vision_targets\[0\]" is "attn\.kqv".*did you mean "attn\.qkv"\?/,
    ],
    ['refill', { retaining: 'scan' }, /"refill\.retaining" is "scan", expected .*"scanning"/],
    ['tiles', { most: 0 }, /"tiles\.most" is 0, expected/],
    ['tokens', { seg: -1 }, /"tokens\.seg" is -1, expected/],
    ['tokens', { rej: 21 }, /unknown key "tokens\.rej"/],
    ['loss', { bce: 'much' }, /"loss\.bce" is "much", expected a number/],
  ])('%s %j', (section, changes, expected) => {
    const message = messageOf(section, changes);
    expect(message).toMatch(expected);
    expect(message).not.toContain('\n');
  });

  test('a section that is missing is named', () => {
    expect(() => readSelf1eConfig(without(SMALL_SELF1E_JSON, 'refill'), 'here/config.json')).toThrow(
      /^here\/config\.json: .*"refill" is missing/,
    );
  });
});
