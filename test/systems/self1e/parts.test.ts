/** Parts of SELF1E by the names of its weights: each has one, and the recipe trains what the reference trained. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { partOf, startsRandom } from '../../../src/checkpoints/parts.js';
import { startEngine } from '../../../src/engine/engine.js';
import { SELF1E_PARTS } from '../../../src/systems/self1e/parts.js';
import { trainableVariables } from '../../../src/training/trainable.js';
import { Self1eCase } from '../../../src/verification/self1e-case.js';
import { fixture } from '../../helpers/fixtures.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

describe('SELF1E_PARTS', () => {
  test('what trains is what the reference recorded after its updates', () => {
    const recorded = new Self1eCase(fixture('self1e-tiny'));
    const model = recorded.buildModel();
    const expected = [...recorded.weights('after_5_updates.safetensors').keys()];
    expect([...trainableVariables(model, 'grounding').keys()].sort()).toEqual(expected.sort());
    expect(trainableVariables(model, 'base-whole').size).toBe(model.namedParameters().size);
    model.dispose();
  });

  test.each([
    ['vision_model.encoder.layers.2.attn.qkv.lora_A.default.weight', 'vision_lora'],
    ['vision_model.encoder.layers.2.attn.qkv.weight', 'vision_model'],
    ['vision_model.encoder.layers.0.ls1', 'vision_model'],
    ['vision_model.embeddings.class_embedding', 'vision_embeddings'],
    ['mlp1.0.weight', 'mlp1'],
    ['language_model.model.embed_tokens.weight', 'embed_tokens'],
    ['language_model.model.layers.1.mlp.up_proj.lora_B.default.weight', 'lora'],
    ['language_model.model.layers.1.self_attn.q_proj.bias', 'language_model'],
    ['language_model.model.norm.weight', 'language_model'],
    ['language_model.lm_head.weight', 'lm_head'],
    ['combine_decode_proj.0.weight', 'projections'],
    ['combine_decode_proj_ori.2.bias', 'projections'],
    ['combine_decode_proj_all.2.bias', 'projections'],
  ])('%s is of %s', (name, part) => {
    expect(partOf(SELF1E_PARTS, name)).toBe(part);
  });

  test('a base may lack the adapters and the projections, and nothing else', () => {
    const mayLack = startsRandom(SELF1E_PARTS);
    expect(mayLack.test('combine_decode_proj_all.0.weight')).toBe(true);
    expect(mayLack.test('language_model.model.layers.0.self_attn.q_proj.lora_A.default.weight')).toBe(true);
    expect(mayLack.test('mlp1.1.weight')).toBe(false);
    expect(mayLack.test('language_model.lm_head.weight')).toBe(false);
  });
});
