/** Reading a model's sizes: the published keys, strictly, with errors that name the key. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { modelConfigToJson, parseModelConfig } from '../src/systems/shared/model-config.js';
import { UserError } from '../src/errors.js';
import { fixture } from './helpers/fixtures.js';

type Json = Record<string, Record<string, unknown>>;

function published(): Json {
  return JSON.parse(readFileSync(fixture('gsva-tiny', 'config.json'), 'utf8')) as Json;
}

/** The published config with one section changed. */
function changed(section: string, values: Record<string, unknown>): unknown {
  return { ...published(), [section]: { ...published()[section], ...values } };
}

function without(section: string, key: string): unknown {
  const entries = Object.entries(published()[section] ?? {}).filter(([name]) => name !== key);
  return { ...published(), [section]: Object.fromEntries(entries) };
}

function expectRefused(json: unknown, message: string): void {
  const parse = (): unknown => parseModelConfig(json, 'dir/config.json');
  expect(parse).toThrow(UserError);
  expect(parse).toThrow(`dir/config.json: ${message}`);
}

describe('parseModelConfig', () => {
  test('reads the recorded config and writes it back the same', () => {
    const config = parseModelConfig(published(), 'config.json');
    expect(config.clip.selectLayer).toBe(-2);
    expect(config.sam.globalAttnIndexes).toEqual([1, 3]);
    expect(config.lora.targets).toEqual(['q_proj', 'v_proj']);
    expect(config.projector).toBe('linear');
    expect(modelConfigToJson(config)).toEqual({ system: 'gsva', ...published(), projector: 'linear' });
    expect(parseModelConfig(modelConfigToJson(config), 'again')).toEqual(config);
  });

  test('an unknown key is an error that names the nearest known one', () => {
    expectRefused(changed('llm', { hiden_size: 3 }), 'unknown key "llm.hiden_size"; did you mean "llm.hidden_size"?');
    expectRefused({ ...published(), projektor: 'linear' }, 'unknown key "projektor"; did you mean "projector"?');
    expectRefused(changed('loss', { zzzzzzzz: 1 }), 'unknown key "loss.zzzzzzzz"; known are ce, bce, dice');
  });

  test('a missing key or section names itself and what belongs there', () => {
    expectRefused(without('sam', 'patch_size'), '"sam.patch_size" is missing, expected a whole number of at least 0');
    expectRefused({ ...published(), clip: undefined }, '"clip" is missing, expected an object');
    expectRefused(null, 'the whole file is null, expected an object');
    expectRefused([published()], 'the whole file is a list of 1, expected an object');
  });

  test.each([
    ['clip', { hidden_size: '32' }, '"clip.hidden_size" is "32", expected a whole number of at least 0'],
    ['clip', { hidden_act: 3 }, '"clip.hidden_act" is 3, expected a text'],
    ['llm', { hidden_size: -48 }, '"llm.hidden_size" is -48, expected a whole number of at least 0'],
    ['sam', { depth: 2.5 }, '"sam.depth" is 2.5, expected a whole number of at least 0'],
    ['llm', { rope_theta: null }, '"llm.rope_theta" is null, expected a number'],
    [
      'sam',
      { global_attn_indexes: [1, 'x'] },
      '"sam.global_attn_indexes[1]" is "x", expected a whole number of at least 0',
    ],
    ['sam', { global_attn_indexes: 1 }, '"sam.global_attn_indexes" is 1, expected a list'],
    ['lora', { targets: 'q_proj' }, '"lora.targets" is "q_proj", expected a list'],
    ['lora', { targets: [1] }, '"lora.targets[0]" is 1, expected a text'],
  ])('a value of the wrong type in %s: %j', (section, values, message) => {
    expectRefused(changed(section, values), message);
  });

  test('a projector that is not known, or does not fit', () => {
    expectRefused(
      { ...published(), projector: 'mlp' },
      '"projector" is "mlp", expected one of "linear", "mlp2x_gelu", "identity"',
    );
    expectRefused(
      { ...published(), projector: 'identity' },
      '"projector" is "identity", expected another: "identity" needs clip.hidden_size = llm.hidden_size',
    );
    const fitting = { ...published(), projector: 'identity', clip: { ...published()['clip'], hidden_size: 48 } };
    expect(parseModelConfig(fitting, 'c').projector).toBe('identity');
  });

  test.each([
    [
      'clip',
      { num_attention_heads: 3 },
      '"clip.hidden_size" is 32, expected a multiple of clip.num_attention_heads (3)',
    ],
    ['clip', { patch_size: 15 }, '"clip.image_size" is 56, expected a multiple of clip.patch_size (15)'],
    [
      'llm',
      { num_attention_heads: 16 },
      '"llm.hidden_size" is 48, expected a multiple of twice llm.num_attention_heads (2 · 16)',
    ],
    ['sam', { patch_size: 0 }, '"sam.image_size" is 128, expected a multiple of sam.patch_size (0)'],
    ['sam', { num_heads: 5 }, '"sam.embed_dim" is 32, expected a multiple of sam.num_heads (5)'],
    [
      'sam',
      { decoder_heads: 32 },
      '"sam.prompt_embed_dim" is 32, expected a multiple of twice sam.decoder_heads (2 · 32)',
    ],
    ['sam', { prompt_embed_dim: 12, decoder_heads: 2 }, '"sam.prompt_embed_dim" is 12, expected a multiple of 8'],
    ['sam', { mask_in_chans: 6 }, '"sam.mask_in_chans" is 6, expected a multiple of 4'],
    ['clip', { select_layer: -9 }, '"clip.select_layer" is -9, expected a whole number from -4 to 3'],
    ['lora', { dropout: 1 }, '"lora.dropout" is 1, expected a number from 0 to 0.999'],
    ['tokens', { image: -201 }, '"tokens.image" is -201, expected a whole number from -200 to -200'],
    [
      'lora',
      { targets: ['q_prj'] },
      '"lora.targets[0]" is "q_prj", expected a projection of LLaMA; did you mean "q_proj"?',
    ],
  ])('sizes that do not divide in %s: %j', (section, values, message) => {
    expectRefused(changed(section, values), message);
  });

  test('whatever JSON comes, it is read or refused as a UserError', () => {
    const anyKey = fc.constantFrom('clip', 'llm', 'sam', 'lora', 'tokens', 'loss', 'projector', 'other');
    fc.assert(
      fc.property(anyKey, fc.jsonValue(), (key, value) => {
        try {
          parseModelConfig({ ...published(), [key]: value }, 'c');
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});
