/** The catalogue of SELF1E against the architecture: numbers of the published sizes, by a model that is never computed. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startDryRun } from '../../../src/engine/dry-run.js';
import { SELF1E_BASES, SELF1E_MODELS } from '../../../src/systems/catalogue/self1e-models.js';
import { readSelf1eConfig } from '../../../src/systems/self1e/config.js';
import { Self1e } from '../../../src/systems/self1e/model.js';

/** Sizes of the published InternVL3 (reference-self1e.md); ids as its tokenizer gives them. */
const LLM = {
  '2B': { hidden_size: 1536, intermediate_size: 8960, num_attention_heads: 12, num_key_value_heads: 2 },
  '8B': { hidden_size: 3584, intermediate_size: 18944, num_attention_heads: 28, num_key_value_heads: 4 },
} as const;

function numbersOf(size: keyof typeof LLM): Map<string, number> {
  const vision = { hidden_size: 1024, intermediate_size: 4096, num_hidden_layers: 24, num_attention_heads: 16 };
  const llm = { ...LLM[size], vocab_size: 151676, num_hidden_layers: 28, attention_bias: true, rope_theta: 1e6 };
  const json = {
    system: 'self1e',
    vision: { ...vision, image_size: 448, patch_size: 14, layer_norm_eps: 1e-6 },
    llm: { ...llm, max_position_embeddings: 32768, rms_norm_eps: 1e-6 },
    refill: { retaining: 'self-replication', amplifier: true },
    lora: { r: 0, alpha: 256, dropout: 0.05, targets: [], vision_targets: [] },
    tokens: {
      ...{ seg: 151674, segt: 151675, image_context: 151667, image_start: 151665, image_end: 151666 },
      ...{ image: -200, ignore: -100, pad: 0, begin: 151644, end: 151645 },
    },
    loss: { ce: 1, bce: 2, dice: 0.5 },
    tiles: { most: 1, thumbnail: false },
  };
  const network = new Self1e(readSelf1eConfig(json, 'the published sizes'));
  network.build();
  const numbers = [...network.namedParameters()].map(([name, { variable }]): [string, number] => [
    name,
    (variable.shape as number[]).reduce((product, length) => product * length, 1),
  ]);
  network.dispose();
  return new Map(numbers);
}

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, count) => total + count, 0);

describe.each(['2B', '8B'] as const)('%s', (size) => {
  let numbers = new Map<string, number>();
  beforeAll(async () => {
    await startDryRun('fused');
    numbers = numbersOf(size);
  }, 120_000);

  test('numbers of SELF1E, and of its base without projections and the two added rows', () => {
    const projections = [...numbers].filter(([name]) => name.startsWith('combine_decode_proj'));
    const rows = 2 * 2 * LLM[size].hidden_size;
    const all = sum(numbers.values());
    expect(SELF1E_BASES[size].numbers).toEqual({ all, base: all - rows - sum(projections.map(([, count]) => count)) });
  });

  test('they are those of reference-self1e.md, to the digits that it has', () => {
    const parts = (prefix: string): number =>
      sum([...numbers].flatMap(([name, count]) => (name.startsWith(prefix) ? [count] : [])));
    const found = [sum(numbers.values()) / 1e9, parts('mlp1.') / 1e6, parts('combine_decode_proj') / 1e6];
    const [all, mlp1, projections] = { '2B': [2.12, 8.7, 28.3], '8B': [8.1, 27.5, 154] }[size] as [
      number,
      number,
      number,
    ];
    expect(Math.abs((found[0] as number) - all)).toBeLessThan(0.006);
    expect(Math.abs((found[1] as number) - mlp1)).toBeLessThan(0.06);
    expect(Math.abs((found[2] as number) - projections)).toBeLessThan(0.6);
  });
});

test('every model has its eight figures of RES, and the same base twice', () => {
  expect(SELF1E_MODELS.map(({ name, base }) => [name, base.name])).toEqual([
    ['SELF1E-2B', 'InternVL3-2B'],
    ['SELF1E-SEG-2B', 'InternVL3-2B'],
    ['SELF1E-8B', 'InternVL3-8B'],
    ['SELF1E-SEG-8B', 'InternVL3-8B'],
  ]);
  for (const { figures } of SELF1E_MODELS) {
    expect(Object.values(figures.cIoU)).toHaveLength(8);
    expect(Object.values(figures.cIoU).every((value) => value > 69 && value < 87)).toBe(true);
  }
});
