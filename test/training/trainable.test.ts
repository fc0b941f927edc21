/** The table of what trains, against the published names. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import type { Gsva } from '../../src/model/gsva.js';
import { type Stage, TRAINABLE, trainableVariables } from '../../src/training/trainable.js';
import { readSafetensors } from '../../src/io/safetensors.js';
import { PUBLISHED_PREFIX } from '../../src/model/weights.js';
import { fixture } from '../helpers/fixtures.js';
import { smallModel, TINY } from '../helpers/small-model.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

function namesOf(gsva: Gsva, stage: Stage): string[] {
  return [...trainableVariables(gsva, stage).keys()];
}

describe('trainableVariables', () => {
  test('GSVA trains exactly what the reference recorded after its updates', () => {
    const gsva = smallModel(1, TINY);
    const { tensors } = readSafetensors(fixture('gsva-tiny', 'after_5_updates.safetensors'));
    const recorded = [...tensors.keys()].map((name) => name.slice(PUBLISHED_PREFIX.length));
    expect(namesOf(gsva, 'gsva').sort()).toEqual(recorded.sort());
    gsva.dispose();
  });

  test('gives the variables themselves, in checkpoint order', () => {
    const gsva = smallModel(1);
    const variables = trainableVariables(gsva, 'gsva');
    const parameters = gsva.namedParameters();
    expect([...variables.keys()]).toEqual([...parameters.keys()].filter((name) => variables.has(name)));
    for (const [name, variable] of variables) expect(parameters.get(name)?.variable.read()).toBe(variable);
    gsva.dispose();
  });

  test('the base trains F_V2, prompts and F_mask in one stage, F_V1 in another and F_LLM in the last, φ and words in the last two', () => {
    const gsva = smallModel(1);
    const all = [...gsva.namedParameters().keys()];
    const [sam, clip, mllm] = [namesOf(gsva, 'base-sam'), namesOf(gsva, 'base-clip'), namesOf(gsva, 'base-mllm')];
    expect([...clip, ...mllm].filter((name) => sam.includes(name))).toEqual([]);
    const shared = all.filter((name) => /^model\.(mm_projector|embed_tokens)\./.test(name));
    expect(clip.filter((name) => mllm.includes(name)).sort()).toEqual(shared.sort());
    const left = all.filter((name) => ![...sam, ...clip, ...mllm].includes(name));
    expect(left.filter((name) => !name.startsWith('model.text_hidden_fcs.')).sort()).toEqual(
      [
        'model.visual_model.prompt_encoder.pe_layer.positional_encoding_gaussian_matrix',
        ...all.filter((name) => name.includes('mask_downscaling')),
      ].sort(),
    );
    gsva.dispose();
  });

  test('every line of the table names something', () => {
    const gsva = smallModel(1);
    const all = [...gsva.namedParameters().keys()];
    for (const pattern of Object.values(TRAINABLE).flat()) expect(all.some((name) => pattern.test(name))).toBe(true);
    gsva.dispose();
  });
});
