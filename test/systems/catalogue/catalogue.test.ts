/** The catalogue of models against the architecture, configs/paper and itself. */
import { existsSync } from 'node:fs';
import { beforeAll, describe, expect, test } from '@jest/globals';

import { startDryRun } from '../../../src/engine/dry-run.js';
import { LlavaSam } from '../../../src/systems/shared/llava-sam.js';
import type { Backbone, Piece } from '../../../src/systems/catalogue/entry.js';
import { ADDED_ROWS, CLIP_L14, SAM_VIT_H } from '../../../src/systems/catalogue/pieces.js';
import { BACKBONES, PACKAGED_MODELS, RELEASED_MODELS } from '../../../src/systems/catalogue/released-models.js';
import type { ModelConfig } from '../../../src/systems/shared/model-config.js';
import { readPlanSource } from '../../../src/benchmark/plan-source.js';
import { expectedFigures, TABLES } from '../../../src/evaluation/report/published-figures.js';
import { GROUNDING_TRAINS, LLAVA_SAM_PARTS } from '../../../src/systems/shared/llava-sam-parts.js';
import { isTrainable } from '../../../src/training/trainable.js';

/** Numbers of the model that configs/paper describes, by parameter name. */
function numbersOf({ name }: Backbone): Map<string, number> {
  const gsva = new LlavaSam(readPlanSource(`configs/paper/${name}-pretrain.json5`).model as ModelConfig);
  gsva.build();
  const numbers = [...gsva.namedParameters()].map(([parameter, { variable }]): [string, number] => [
    parameter,
    (variable.shape as number[]).reduce((product, size) => product * size, 1),
  ]);
  gsva.dispose();
  return new Map(numbers);
}

function sum(numbers: ReadonlyMap<string, number>, select: (name: string) => boolean): number {
  return [...numbers].reduce((total, [name, count]) => total + (select(name) ? count : 0), 0);
}

/** Text encoder of CLIP ViT-L/14 (768 wide, 12 layers, 49408 words, 77 places), both projections, the temperature. */
const CLIP_REST = 49408 * 768 + 77 * 768 + 12 * (12 * 768 ** 2 + 13 * 768) + 2 * 768 + (1024 + 768) * 768 + 1;

describe.each(BACKBONES)('$name', (backbone) => {
  const { llava, clip, sam } = backbone;
  let numbers = new Map<string, number>();
  beforeAll(async () => {
    await startDryRun('fused');
    numbers = numbersOf(backbone);
  }, 120_000);
  const { model } = readPlanSource(`configs/paper/${backbone.name}-pretrain.json5`);

  test('sizes are those of configs/paper', () => {
    const { llm, lora } = model;
    expect([llm.hiddenSize, llm.numHiddenLayers, lora.r]).toEqual([
      backbone.hiddenSize,
      backbone.layers,
      backbone.loraRank,
    ]);
    expect(sum(numbers, () => true)).toBe(backbone.numbers.all);
    expect(
      sum(numbers, (name) => isTrainable({ parts: LLAVA_SAM_PARTS, trains: GROUNDING_TRAINS }, name, 'gsva')),
    ).toBe(backbone.numbers.trained);
  });

  test('LLaVA, LLaMA, CLIP and SAM have the numbers that the architecture has', () => {
    const words = /^(model\.embed_tokens|lm_head)\./;
    const layers = sum(numbers, (name) => /^model\.(layers|norm)\b/.test(name) && !name.includes('.lora_'));
    const added = (4 * sum(numbers, (name) => words.test(name))) / 32004; // of the 32004 rows
    const llama = layers + sum(numbers, (name) => words.test(name)) - added;
    const projector = sum(numbers, (name) => name.startsWith('model.mm_projector.'));
    if ('base' in llava) expect(llava.base.numbers).toEqual({ least: llama, most: llama });
    const whole = 'whole' in llava ? llava.whole.numbers : llava.numbers;
    expect(whole).toEqual({
      least: llama + projector,
      most: llama + projector + 2 * ADDED_ROWS * backbone.hiddenSize,
    });
    if ('delta' in llava) expect(llava.delta.numbers).toEqual(whole);
    const tower = sum(numbers, (name) => name.startsWith('model.vision_tower.'));
    expect(clip.numbers).toEqual({ least: tower, most: tower });
    const segmenter = sum(numbers, (name) => name.startsWith('model.visual_model.'));
    expect(sam.numbers).toEqual({ least: segmenter, most: segmenter });
  });

  test('bytes are its numbers times those of one, within a thousandth', () => {
    const near = (piece: Piece, expected: number): void => {
      expect([piece.place, Math.abs(piece.bytes / expected - 1) < 1e-3]).toEqual([piece.place, true]);
    };
    const pieces = 'whole' in llava ? [llava.whole] : [llava.base, llava.delta];
    for (const piece of pieces) near(piece, 2 * piece.numbers.least);
    near(clip, 4 * (clip.numbers.least + CLIP_REST));
    near(sam, 4 * sam.numbers.least);
  });
});

test('the conversations are those of configs/paper', () => {
  for (const { backbone, config } of RELEASED_MODELS) {
    expect(existsSync(config)).toBe(true);
    const { experiment } = readPlanSource(config);
    expect([config, experiment?.conversation]).toEqual([config, backbone.conversation]);
  }
});

test('every name is one of a kind, every model trained by a configuration of its own size', () => {
  const names = [...RELEASED_MODELS, ...PACKAGED_MODELS].map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const { config, backbone } of RELEASED_MODELS) expect(config).toMatch(`configs/paper/${backbone.name}-`);
  // Three models, pretrained and fine-tuned on gRefCOCO and on RES; one on Ref-ZOM.
  expect(RELEASED_MODELS).toHaveLength(10);
});

test('each row of GSVA in Tables 1, 2 and 3 is a model, and each has figures', () => {
  const rows = new Set(
    RELEASED_MODELS.flatMap(({ figures }) => figures.map(({ table, row }) => `Table ${table}: ${row}`)),
  );
  for (const [number, { rows: published }] of [
    [1, TABLES[1]],
    [2, TABLES[2]],
    [3, TABLES[3]],
  ] as const) {
    const ours = published.map(([method]) => method).filter((method) => method.startsWith('GSVA-'));
    expect(ours).toHaveLength(6);
    for (const row of ours) expect(rows).toContain(`Table ${number}: ${row}`);
  }
  for (const model of RELEASED_MODELS) {
    const tables = new Set(expectedFigures(model).map(({ table }) => table));
    expect([...tables]).toEqual(model.figures.map(({ table }) => `Table ${table}`));
  }
});

test('what the authors log is near what the paper prints, and of the files that they name', () => {
  for (const model of RELEASED_MODELS) {
    expect(model.logged.length).toBe(model.named === 'authors' ? 3 : 0);
    for (const { split, T_acc, ...figures } of model.logged) {
      expect(T_acc).toBeGreaterThan(0.98);
      for (const [figure, value] of Object.entries(figures)) {
        const published = expectedFigures(model).find(
          (one) => one.dataset === 'grefcoco' && one.split === split && one.figure === figure,
        );
        expect(Math.abs(100 * value - (published?.published ?? NaN))).toBeLessThan(0.6);
      }
    }
  }
});

test('pieces say where they are from, under what licence, and which digest they have', () => {
  const pieces = BACKBONES.flatMap(({ llava, clip, sam }) => [
    ...('whole' in llava ? [llava.whole] : [llava.base, llava.delta]),
    clip,
    sam,
  ]);
  for (const { source, hub, url, licence, sha256, place } of pieces) {
    expect(source).toMatch(/^https:\/\//);
    expect(hub ?? url).toMatch(hub === null ? /^https:\/\// : /^[\w-]+\/[\w.-]+$/);
    expect(licence.length).toBeGreaterThan(2);
    expect(place).not.toMatch(/[/\\\s]/);
    if (sha256 !== undefined) expect(sha256.digest).toMatch(/^[0-9a-f]{64}$/);
  }
  expect([CLIP_L14.bytes, SAM_VIT_H.bytes]).toEqual([1_710_540_580, 2_564_550_879]);
});
