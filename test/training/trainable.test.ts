/** The table of what trains, against the published names. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import { partOf, watchedPartOf } from '../../src/checkpoints/parts.js';
import { LLAVA_SAM_PARTS } from '../../src/systems/shared/llava-sam-parts.js';
import { type Stage, STAGES, trainableVariables, trainsIn } from '../../src/training/trainable.js';
import type { LlavaSam } from '../../src/systems/shared/llava-sam.js';
import { readSafetensors } from '../../src/io/safetensors/safetensors.js';
import { PUBLISHED_PREFIX } from '../../src/checkpoints/weights.js';
import { SELF1E_PARTS } from '../../src/systems/self1e/parts.js';
import { fixture } from '../helpers/fixtures.js';
import { smallModel, TINY } from '../helpers/small-model.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

function namesOf(gsva: LlavaSam, stage: Stage): string[] {
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

  test('the base: F_V2, prompts and F_mask; F_V1, φ and words; φ and F_LLM, twice; at last all but prompts', () => {
    const gsva = smallModel(1);
    const all = [...gsva.namedParameters().keys()];
    const [sam, clip, joint] = [namesOf(gsva, 'base-sam'), namesOf(gsva, 'base-clip'), namesOf(gsva, 'base-joint')];
    const caption = namesOf(gsva, 'base-caption');
    expect(namesOf(gsva, 'base-grounding')).toEqual(caption);
    expect([...clip, ...caption].filter((name) => sam.includes(name))).toEqual([]);
    const shared = all.filter((name) => /^model\.(mm_projector|embed_tokens)\./.test(name));
    expect(clip.filter((name) => caption.includes(name)).sort()).toEqual(shared.sort());
    expect(caption.filter((name) => !joint.includes(name))).toEqual([]);
    expect(clip.filter((name) => !joint.includes(name))).toEqual([]);
    expect(sam.filter((name) => !joint.includes(name)).every((name) => name.includes('.prompt_encoder.'))).toBe(true);
    const left = all.filter((name) => !joint.includes(name));
    expect(left.every((name) => name.includes('.prompt_encoder.'))).toBe(true);
    expect(left.filter((name) => !sam.includes(name)).sort()).toEqual(
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
    const own = all.map((name) => partOf(LLAVA_SAM_PARTS, name));
    const parts = new Set([...own, ...SELF1E_PARTS.map(({ name }) => name)]);
    for (const part of STAGES.flatMap((stage) => trainsIn(stage, gsva))) expect(parts).toContain(part);
    for (const { name } of LLAVA_SAM_PARTS) expect(own).toContain(name);
    gsva.dispose();
  });
});

const watched = (name: string): string => watchedPartOf(LLAVA_SAM_PARTS, name);

describe('watchedPartOf', () => {
  test("GSVA's parts", () => {
    const gsva = smallModel(1);
    const parts = new Set(namesOf(gsva, 'gsva').map(watched));
    expect([...parts].sort()).toEqual(
      ['embed_tokens', 'lm_head', 'lora_q_proj', 'lora_v_proj', 'mask_decoder', 'psi'].sort(),
    );
    gsva.dispose();
  });

  test('every variable of every stage belongs to one of a few parts', () => {
    const gsva = smallModel(1);
    const parts = new Set(STAGES.flatMap((stage) => namesOf(gsva, stage).map(watched)));
    expect([...parts].sort()).toEqual(
      [
        'prompt_encoder_fixed',
        ...['embed_tokens', 'image_encoder', 'language_model', 'lm_head', 'lora_q_proj', 'lora_v_proj', 'mask_decoder'],
        ...['projector', 'prompt_encoder', 'psi', 'vision_tower'],
      ].sort(),
    );
    expect(watched('model.layers.3.mlp.up_proj.weight')).toBe('language_model');
    expect(watched('w1')).toBe('w1');
    gsva.dispose();
  });
});
