/** One number that is none, planted into each part of the network in turn: every answer is an error that names the part. */
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { UserError } from '../../src/errors.js';
import { generate } from '../../src/inference/generate.js';
import type { Predictor } from '../../src/inference/predictor.js';
import { binaryMask } from '../../src/inference/segment-result.js';
import type { EncodedImage } from '../../src/features/image-features.js';
import { provideAdapter } from '../helpers/swiftshader.js';
import { networkOf, randomImage, tinyPredictor } from './tiny-predictor.js';

const image = randomImage(61, 87, 3);
const EXPRESSIONS = ['red circle', 'green bar'];
const FORCED = { expressions: EXPRESSIONS, answers: ['found', 'absent'] as const };

let predictor: Predictor;
let isHere = true;

/** Sets numbers of a weight, by their places in our layout. */
function plant(name: string, value: number, places: readonly number[] = [3]): void {
  const variable = networkOf(predictor).namedParameters().get(name)?.variable;
  if (variable === undefined) throw new Error(`there is no ${name}`);
  tf.tidy(() => {
    const before = variable.read();
    // Read at once, which WebGPU cannot: it is a mask of what to replace instead.
    const isPlanted = new Uint8Array(before.size);
    for (const place of places) isPlanted[place] = 1;
    variable.write(tf.where(tf.tensor(isPlanted, before.shape, 'bool'), tf.fill(before.shape, value), before));
  });
}

async function messageOf(run: () => Promise<unknown>): Promise<string> {
  const before = tf.memory().numTensors;
  try {
    await run();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    expect(tf.memory().numTensors).toBe(before); // nothing is left behind, not by the search either
    return error.message;
  }
  return 'no error';
}

/** Every way to an answer. */
const WAYS: Readonly<Record<string, (encoded: EncodedImage) => Promise<unknown>>> = {
  segment: () => predictor.segment(image, EXPRESSIONS, { rejectThreshold: 1 }),
  'ask (strict)': (encoded) => predictor.ask({ image: encoded, expressions: EXPRESSIONS }, { rejectThreshold: 1 }),
  'force (reference)': (encoded) => predictor.force([{ image: encoded, ...FORCED }]),
  generate: (encoded) => predictor.generate({ image: encoded, expressions: EXPRESSIONS }),
  'reply (vqa)': (encoded) => predictor.converse(encoded, 'What is this?'),
};

const MASK_PARTS = ['ask (strict)', 'force (reference)', 'segment'];
const LLM_PARTS = [...MASK_PARTS, 'generate', 'reply (vqa)'];

const PARTS: readonly (readonly [weight: string, part: string, ways: readonly string[]])[] = [
  ['model.mm_projector.weight', 'the projector (φ)', LLM_PARTS],
  ['model.layers.0.self_attn.q_proj.weight', 'layer 0 of the LLM', LLM_PARTS],
  ['model.layers.1.self_attn.v_proj.lora_A.default.weight', 'layer 1 of the LLM', LLM_PARTS],
  ['model.layers.1.mlp.down_proj.weight', 'layer 1 of the LLM', LLM_PARTS],
  ['model.norm.weight', "the LLM's last norm", LLM_PARTS],
  ['lm_head.weight', "the LLM's head", LLM_PARTS],
  ['model.text_hidden_fcs.0.0.weight', 'ψ', MASK_PARTS],
  ['model.text_hidden_fcs.0.2.bias', 'ψ', MASK_PARTS],
  ['model.visual_model.prompt_encoder.no_mask_embed.weight', "SAM's prompt encoder", MASK_PARTS],
  [
    'model.visual_model.prompt_encoder.pe_layer.positional_encoding_gaussian_matrix',
    "SAM's prompt encoder",
    MASK_PARTS,
  ],
  ['model.visual_model.mask_decoder.iou_token.weight', "SAM's mask decoder", MASK_PARTS],
  ['model.visual_model.mask_decoder.transformer.layers.0.mlp.lin1.weight', "SAM's mask decoder", MASK_PARTS],
  ['model.visual_model.mask_decoder.output_hypernetworks_mlps.0.layers.0.weight', "SAM's mask decoder", MASK_PARTS],
];

const ENCODER_PARTS = [
  ['model.vision_tower.vision_tower.vision_model.embeddings.class_embedding', 'the vision tower (F_V1)'],
  ['model.vision_tower.vision_tower.vision_model.embeddings.patch_embedding.weight', 'the vision tower (F_V1)'],
  ['model.vision_tower.vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight', 'layer 0 of the vision tower'],
  ['model.visual_model.image_encoder.patch_embed.proj.bias', "SAM's image encoder"],
  ['model.visual_model.image_encoder.pos_embed', "SAM's image encoder"],
  ['model.visual_model.image_encoder.blocks.1.attn.rel_pos_h', "block 1 of SAM's image encoder"],
  ['model.visual_model.image_encoder.neck.3.weight', "SAM's image encoder"],
] as const;

function expectNamed(message: string, weight: string, part: string): void {
  expect(message).toMatch(/^Answering: .* are not finite \(\d+ NaN/);
  expect(message).toContain(`The first part that is not finite is ${part}`);
  expect(message).toContain(`: ${weight} holds 1 NaN of `);
  expect(message).toMatch(/gsva\.js inspect --stats \S+ --match \S+$/);
}

afterEach(() => {
  if (isHere) predictor.dispose();
});

/** One of the LLM, one of ψ behind a ReLU, one of the decoder: engines differ in what they compute with, not in what is checked. */
const FEW = [
  'model.norm.weight',
  'model.text_hidden_fcs.0.0.weight',
  'model.visual_model.mask_decoder.iou_token.weight',
];

describe.each(['cpu', 'webgpu'])('engine %s', (engine) => {
  test.each(PARTS.filter(([weight]) => FEW.includes(weight)))('%s: %s is named', async (weight, part) => {
    const skipped = engine === 'webgpu' ? await provideAdapter() : null;
    isHere = skipped === null;
    if (skipped !== null) process.stderr.write(`not-finite.test.ts does nothing on webgpu: ${skipped}\n`);
    if (!isHere) return;
    await startEngine({ engine });
    predictor = tinyPredictor();
    const [encoded] = (await predictor.encode([image])) as [EncodedImage];
    plant(weight, NaN);
    const question = { image: encoded, expressions: ['red circle'] };
    expectNamed(await messageOf(() => predictor.ask(question, { rejectThreshold: 1 })), weight, part);
  });
});

describe('engine auto', () => {
  beforeAll(async () => {
    isHere = true;
    await startEngine();
  });

  test.each(PARTS)('%s: %s is named', async (weight, part, ways) => {
    predictor = tinyPredictor();
    const [encoded] = await predictor.encode([image]);
    plant(weight, NaN);
    for (const way of ways) {
      const message = await messageOf(() => (WAYS[way] as (typeof WAYS)[string])(encoded as EncodedImage));
      expectNamed(message, weight, part);
    }
  });

  test.each(ENCODER_PARTS)('%s: %s is named while the image is encoded', async (weight, part) => {
    predictor = tinyPredictor();
    plant(weight, NaN);
    const message = await messageOf(() => predictor.segment(image, EXPRESSIONS));
    expect(message).toMatch(/^Encoding an image: the features of the encoder "(clip|sam)" are not finite/);
    expect(message).toContain(`The first part that is not finite is ${part}`);
    expect(message).toContain(`: ${weight} holds 1 NaN of `);
  });

  test('an infinite weight, and the place of it as it is stored', async () => {
    predictor = tinyPredictor();
    const { hiddenSize } = networkOf(predictor).config.llm;
    // Ours is [in, out]: place 2·out + 5 is [5, 2] in the file's [out, in].
    plant('model.layers.0.self_attn.o_proj.weight', Infinity, [2 * hiddenSize + 5]);
    const message = await messageOf(() => predictor.segment(image, EXPRESSIONS));
    expect(message).toContain('layer 0 of the LLM: model.layers.0.self_attn.o_proj.weight holds 1 infinite of ');
    expect(message).toContain('numbers, at [5, 2]');
  });

  test('finite weights that make numbers too large: the layer is named', async () => {
    predictor = tinyPredictor();
    const size = networkOf(predictor).config.llm.hiddenSize;
    plant(
      'model.layers.1.input_layernorm.weight',
      3e38,
      Array.from({ length: size }, (_, i) => i),
    );
    const message = await messageOf(() => predictor.segment(image, EXPRESSIONS));
    expect(message).toMatch(/is layer 1 of the LLM: the output of model\.layers\.1\.\S+ \(.*infinite/);
    expect(message).toContain('weights are finite');
    expect(message).toMatch(/gsva\.js inspect --stats \S+$/);
  });

  test('features of the image that are not finite, as from a cache', async () => {
    predictor = tinyPredictor();
    const [encoded] = (await predictor.encode([image])) as [EncodedImage];
    const clip = (encoded.features['clip'] as Float32Array).slice().fill(NaN, 0, 1);
    const features = { ...encoded.features, clip };
    const message = await messageOf(() => predictor.ask({ image: { ...encoded, features }, expressions: ['bar'] }));
    expect(message).toContain('what goes into the projector (φ)');
    expect(message).toContain('delete the cache');
  });
});

test('a network that is finite answers as before, and a token that is not asked for may be NaN', async () => {
  await startEngine();
  predictor = tinyPredictor();
  const { results } = await predictor.segment(image, EXPRESSIONS);
  plant('model.embed_tokens.weight', NaN, [networkOf(predictor).config.llm.hiddenSize * 7]);
  expect((await predictor.segment(image, EXPRESSIONS)).results).toEqual(results);
});

test('a rejected expression is not asked for a mask: what only masks need is not missed', async () => {
  await startEngine();
  predictor = tinyPredictor();
  plant('model.text_hidden_fcs.0.2.bias', NaN);
  const { results } = await predictor.segment(image, EXPRESSIONS, { rejectThreshold: 0 });
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});

test('the search leaves the layers as they were', async () => {
  await startEngine();
  predictor = tinyPredictor();
  const gsva = networkOf(predictor);
  plant('model.norm.weight', NaN);
  await messageOf(() => predictor.segment(image, EXPRESSIONS));
  expect(gsva.namedLayers().filter(([, layer]) => Object.hasOwn(layer, 'forward'))).toEqual([]);
  const [encoded] = (await predictor.encode([image])) as [EncodedImage];
  await expect(generate(gsva, predictor.asking.vocabulary, encoded, [1, -200, 5], { maxTokens: 1 })).rejects.toThrow(
    'model.norm.weight',
  );
});

test('a mask of logits that are not finite is refused where it is made', () => {
  for (const bad of [NaN, Infinity, -Infinity]) {
    const data = Float32Array.of(1, -1, 2, bad, 0, 3);
    expect(() => binaryMask({ data, height: 2, width: 3 })).toThrow(/row 1, column 0 is (NaN|-?Infinity)/);
  }
});
