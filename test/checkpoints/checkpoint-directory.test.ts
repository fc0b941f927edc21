/** A model folder: what is written is read again, to the bit; what does not belong together is refused by name. */
import { configOf } from '../../src/systems/shared/model-config.js';
import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { UserError } from '../../src/errors.js';
import { bfloat16ToFloat32, float32ToBfloat16 } from '../../src/half-float.js';
import {
  checkTokenizer,
  loadModelWeights,
  openModelDirectory,
  storeRejectThreshold,
} from '../../src/checkpoints/checkpoint-directory.js';
import type { LlavaSam } from '../../src/systems/shared/llava-sam.js';
import { storableWeights } from '../../src/checkpoints/weights.js';
import { ModelCase } from '../../src/verification/model-case.js';
import { configDigest } from '../../src/inference/model-source.js';
import { fixture } from '../helpers/fixtures.js';
import { modelConfigToJson } from '../../src/systems/shared/model-config.js';
import { writeModel, readModel } from '../helpers/model-folder.js';
import { system } from '../../src/systems/gsva/system.js';
import { SMALL, smallModel } from '../helpers/small-model.js';

const written = mkdtempSync(join(tmpdir(), 'gsva-model-'));
/** A copy of `written` for each test to spoil. */
const folder = mkdtempSync(join(tmpdir(), 'gsva-model-copy-'));
const tokenizerDir = fixture('tokenizer');
const meta = {
  conversation: 'plain',
  stage: 'gsva',
  description: 'random',
  details: { seed: 7, seconds: 1.5, done: true },
};
let gsva: LlavaSam;
let tensors = 0;

beforeAll(async () => {
  await startEngine();
  gsva = new ModelCase(fixture('gsva-tiny')).buildModel();
  await writeModel(written, gsva, { meta, tokenizerDir });
});
afterAll(() => {
  gsva.dispose();
  for (const path of [folder, written]) rmSync(path, { recursive: true });
});
beforeEach(() => {
  cpSync(written, folder, { recursive: true, force: true });
  tensors = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensors); // no test leaves a tensor behind
});

/** Names, shapes and a digest of the numbers: quick to compare. */
function bytesOf(weights: Awaited<ReturnType<typeof storableWeights>>): string[] {
  return [...weights].map(([name, { shape, data }]) => {
    return `${name} [${shape.join(', ')}] ${createHash('sha256').update(data).digest('hex')}`;
  });
}

test('a threshold of [REJ] is stored without touching anything else, and can be replaced', () => {
  const before = readFileSync(join(folder, 'model.safetensors'));
  expect(openModelDirectory(folder).meta.rejectThreshold).toBeUndefined();
  for (const rejectThreshold of [0.25, 0.75]) {
    storeRejectThreshold(folder, rejectThreshold);
    expect(openModelDirectory(folder).meta).toEqual({ ...meta, rejectThreshold });
  }
  expect(readFileSync(join(folder, 'model.safetensors'))).toEqual(before);
  expect(() => {
    storeRejectThreshold(join(folder, 'none'), 0.5);
  }).toThrow(UserError);
});

/** config.json of a folder without some of its keys. */
function withoutKeys(dir: string, ...keys: string[]): Record<string, unknown> {
  const path = join(dir, 'config.json');
  const json = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  const left = Object.fromEntries(Object.entries(json).filter(([key]) => !keys.includes(key)));
  writeFileSync(path, JSON.stringify(left));
  return json;
}

describe('a config.json that leaves out what earlier versions, or published files, do not say', () => {
  test.each(['linear', 'mlp2x_gelu', 'identity'] as const)(
    'the projector is %s, as the weights show',
    async (projector) => {
      const dir = mkdtempSync(join(tmpdir(), 'gsva-projector-'));
      const model = smallModel(1, { ...SMALL, clip: { ...SMALL.clip, hiddenSize: 12 }, projector });
      try {
        await writeModel(dir, model, { meta, tokenizerDir });
        const json = withoutKeys(dir, 'projector') as { clip: object };
        expect(configOf(openModelDirectory(dir))).toEqual(model.config);
        const read = readModel(dir);
        read.gsva.dispose();
        writeFileSync(
          join(dir, 'config.json'),
          JSON.stringify({ ...json, projector: undefined, clip: { ...json.clip, hidden_size: 8 } }),
        );
        const open = () => configOf(openModelDirectory(dir)).projector;
        if (projector === 'identity')
          expect(open).toThrow(/model\.safetensors has no weights of the projector.*CLIP \(8\).*LLaMA \(12\)/);
        else expect(open()).toBe(projector);
      } finally {
        model.dispose();
        rmSync(dir, { recursive: true });
      }
    },
  );

  test('the system is GSVA, and its digest in records is that of earlier versions; new folders say it', () => {
    const json = withoutKeys(folder, 'system');
    expect(json['system']).toBe('gsva');
    const config = configOf(openModelDirectory(folder));
    expect(config).toEqual(gsva.config);
    const sizes = Object.fromEntries(Object.entries(json).filter(([key]) => key !== 'system'));
    const digested = modelConfigToJson(config);
    expect(configDigest(digested)).toBe(createHash('sha256').update(JSON.stringify(sizes)).digest('hex'));
    expect(configDigest({ ...digested, system: 'lisa' })).not.toBe(configDigest(digested));
    const read = readModel(folder);
    loadModelWeights(folder, read.gsva);
    read.gsva.dispose();
  });
});

describe('a model folder', () => {
  test('holds sizes, meta, every weight and the tokenizer', async () => {
    const read = readModel(folder);
    expect(read.gsva.config).toEqual(gsva.config);
    expect(read.meta).toEqual(meta);
    expect(bytesOf(await storableWeights(read.gsva))).toEqual(bytesOf(await storableWeights(gsva)));
    for (const name of ['tokenizer.model', 'tokenizer_config.json', 'special_tokens_map.json']) {
      expect(readFileSync(join(folder, name))).toEqual(readFileSync(join(tokenizerDir, name)));
    }
    read.gsva.dispose();
  });

  test('in BF16 has the weights rounded, and is about half as large', async () => {
    const full = readFileSync(join(folder, 'model.safetensors')).length;
    await writeModel(folder, gsva, { meta, tokenizerDir, dtype: 'BF16' });
    expect(readFileSync(join(folder, 'model.safetensors')).length / full).toBeLessThan(0.6);
    const read = readModel(folder);
    const exact = await storableWeights(gsva);
    for (const [name, { data }] of await storableWeights(read.gsva)) {
      const rounded = bfloat16ToFloat32(float32ToBfloat16(exact.get(name)?.data as Float32Array));
      expect(Buffer.from(data.buffer).equals(Buffer.from(rounded.buffer))).toBe(true);
    }
    read.gsva.dispose();
  });

  test.each<[string, string, (text: string) => string | null, string]>([
    ['config.json', 'is missing', () => null, 'config.json'],
    [
      'config.json',
      'is of another model',
      (text) => text.replace('"hidden_size": 48', '"hidden_size": 56'),
      'has shape',
    ],
    [
      'meta.json',
      'has a threshold that is no probability',
      (text) => text.replace('"details"', '"rejectThreshold": 1.5, "details"'),
      '"rejectThreshold" is 1.5, expected a number from 0 to 1',
    ],
    ['meta.json', 'is missing', () => null, 'meta.json'],
    ['meta.json', 'is of a later format', (text) => text.replace('"format": 1', '"format": 2'), '"format" is 2'],
    ['meta.json', 'has an unknown key', (text) => text.replace('"stage"', '"stages"'), 'unknown key "stages"'],
    [
      'meta.json',
      'has details that are no object',
      (text) => text.replace(/"details": \{[^}]*\}/, '"details": 7'),
      '"details"',
    ],
    ['model.safetensors', 'is missing', () => null, 'model.safetensors'],
    ['model.safetensors', 'is cut off', (text) => text.slice(0, 1000), 'model.safetensors'],
  ])('%s that %s is refused by name', (name, _, change, message) => {
    const path = join(folder, name);
    const changed = change(readFileSync(path, 'latin1'));
    rmSync(path);
    if (changed !== null) writeFileSync(path, changed, 'latin1');
    expect(() => readModel(folder)).toThrow(UserError);
    expect(() => readModel(folder)).toThrow(message);
  });

  test('is not written without a tokenizer', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'gsva-empty-'));
    await expect(writeModel(empty, gsva, { meta, tokenizerDir: empty })).rejects.toThrow(UserError);
    expect(existsSync(join(empty, 'model.safetensors'))).toBe(false);
    copyFileSync(join(tokenizerDir, 'tokenizer.model'), join(empty, 'tokenizer.model'));
    expect(() => readModel(empty)).toThrow('config.json');
    rmSync(empty, { recursive: true });
  });
});

describe('checkTokenizer', () => {
  const ids: Record<string, number> = { '[SEG]': 600, '[REJ]': 601, '<im_start>': 602, '<im_end>': 603 };
  const tokenizer = { vocabSize: 604, bosId: 1, eosId: 2, tokenId: (token: string): number | undefined => ids[token] };

  test('accepts what agrees and names what does not', () => {
    const check =
      (changes: object): (() => void) =>
      (): void => {
        checkTokenizer({ ...tokenizer, ...changes }, system.vocabulary(gsva.config, {}), 'the/model');
      };
    expect(check({})).not.toThrow();
    expect(check({ bosId: 0 })).toThrow(
      'gives the id 0 to the begin-of-text token, but "tokens.bos" of config.json is 1',
    );
    expect(check({ tokenId: (token: string) => (token === '[REJ]' ? undefined : ids[token]) })).toThrow(
      'does not know [REJ]',
    );
    expect(check({ vocabSize: 605 })).toThrow('has 605 tokens, but "llm.vocab_size" of config.json is 604');
  });

  test('a system whose texts begin with no token of their own takes a tokenizer that has none', () => {
    const without = {
      ...tokenizer,
      get bosId(): number {
        throw new UserError('there is none');
      },
    };
    const vocabulary = system.vocabulary(gsva.config, {});
    checkTokenizer(without, { ...vocabulary, begin: null }, 'the/model');
    expect(() => {
      checkTokenizer(without, vocabulary, 'the/model');
    }).toThrow('there is none');
  });
});
