/** Table of the recordings that `gsva verify` can replay: a line per system and kind. */
import { RECORDED_WORDS } from '../systems/recorded-words.js';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ModelSource } from '../inference/model-source.js';
import type { ModelConfig } from '../systems/shared/model-config.js';
import type { ModelSubject } from './model-subject.js';
import type { VerifyItem } from './verify-item.js';

export interface Subject {
  readonly system: string;
  readonly kind: string;
  /** The file whose presence shows the kind. */
  readonly telling: string;
  /** The JSON file that shows the system: by a key "system", or else by `mark`. */
  readonly json: string;
  /** Keys, one inside the other, that only this system's recordings have; "*" stands for the first key. */
  readonly mark: readonly string[];
  /** Further files and folders without which nothing can be compared. */
  readonly required?: readonly string[];
  /** Compares a model: needs the engine, and can be given another model's files. */
  readonly isModel?: boolean;
  /** @param source files of a model to compare instead of the recorded weights; null for those */
  readonly verify: (folder: string, source: ModelSource | null) => Promise<VerifyItem[]>;
}

const MODEL = ['model.safetensors', 'case.json', 'grads.safetensors', 'after_5_updates.safetensors'];

/**
 * Systems with more marks stand before those with fewer: LISA's recordings have [SEG] as well, and lack [REJ].
 * Each comparison is loaded when it is needed: the tokenizer's does not wait for TensorFlow.js.
 */
export const SUBJECTS: readonly Subject[] = [
  {
    ...{ system: 'gsva', kind: 'model', telling: 'case.safetensors', json: 'config.json' },
    mark: ['tokens', RECORDED_WORDS.absent],
    required: MODEL,
    isModel: true,
    verify: async (folder, source) => (await import('./model.js')).verifyModel(folder, await subjectOf(source)),
  },
  {
    ...{ system: 'gsva', kind: 'metrics', telling: 'predictions.safetensors', json: 'case.json' },
    mark: [RECORDED_WORDS.absent],
    verify: async (folder) => (await import('./metrics.js')).verifyMetrics(folder),
  },
  {
    ...{ system: 'gsva', kind: 'tokenizer', telling: 'cases.json', json: 'cases.json' },
    mark: ['added', '[REJ]'],
    required: ['tokenizer.model'],
    verify: async (folder) => (await import('./tokenizer.js')).verifyTokenizer(folder),
  },
  // Their token ids are those of the sibling folder.
  {
    ...{ system: 'gsva', kind: 'datasets', telling: 'expected_val.json', json: 'expected_val.json' },
    mark: ['llava_v1'],
    required: ['data'],
    verify: async (folder) => (await import('./datasets.js')).verifyDatasets(folder, join(folder, '..', 'tokenizer')),
  },
  {
    ...{ system: 'gsva', kind: 'images', telling: 'expected.json', json: 'expected.json' },
    mark: ['*', 'clip_mean'],
    verify: async (folder) => (await import('./images.js')).verifyImages(folder),
  },
  {
    ...{ system: 'lisa', kind: 'model', telling: 'case.safetensors', json: 'case.json' },
    mark: ['batch_a'],
    required: ['config.json', ...MODEL],
    isModel: true,
    verify: async (folder, source) => (await import('./model.js')).verifyLisaModel(folder, await subjectOf(source)),
  },
  {
    ...{ system: 'lisa', kind: 'metrics', telling: 'predictions.safetensors', json: 'case.json' },
    mark: ['*', 'pictures'],
    verify: async (folder) => (await import('./lisa-metrics.js')).verifyLisaMetrics(folder),
  },
  {
    ...{ system: 'lisa', kind: 'checkpoints', telling: 'expected.json', json: 'expected.json' },
    mark: ['chat'],
    required: ['expected.safetensors', 'lisa', 'clip'],
    verify: async (folder) => (await import('./lisa-checkpoints.js')).verifyLisaCheckpoints(folder),
  },
  // As for GSVA: the tokenizer and the datasets are siblings.
  {
    ...{ system: 'lisa', kind: 'text', telling: 'text.json', json: 'text.json' },
    mark: ['tokens', '[SEG]'],
    verify: async (folder) => {
      const { verifyLisaText } = await import('./lisa-text.js');
      const dataDir = join(folder, '..', 'datasets', 'data');
      return verifyLisaText(folder, join(folder, '..', 'tokenizer'), existsSync(dataDir) ? dataDir : null);
    },
  },
  {
    ...{ system: 'self1e', kind: 'model', telling: 'case.safetensors', json: 'config.json' },
    mark: ['self1e'],
    required: [...MODEL, 'published'],
    isModel: true,
    verify: async (folder, source) => {
      return (await import('./self1e-model.js')).verifySelf1eModel(folder, await subjectOf(source));
    },
  },
  // The pictures are those of the sibling folder.
  {
    ...{ system: 'self1e', kind: 'images', telling: 'expected.json', json: 'expected.json' },
    mark: ['ratios'],
    required: ['samples.safetensors'],
    verify: async (folder) => {
      return (await import('./self1e-images.js')).verifySelf1eImages(folder, join(folder, '..', 'images'));
    },
  },
  {
    ...{ system: 'self1e', kind: 'tokenizer', telling: 'cases.json', json: 'cases.json' },
    mark: ['added', '[SEGT]'],
    required: ['prompts.json'],
    verify: async (folder) => {
      const { verifySelf1eTokenizer } = await import('./self1e-tokenizer.js');
      const dataDir = join(folder, '..', 'datasets', 'data');
      return verifySelf1eTokenizer(folder, existsSync(dataDir) ? dataDir : null);
    },
  },
  {
    ...{ system: 'self1e', kind: 'metrics', telling: 'predictions.safetensors', json: 'case.json' },
    mark: ['all', 'intersection_union'],
    verify: async (folder) => (await import('./self1e-metrics.js')).verifySelf1eMetrics(folder),
  },
];

/** @typeParam C sizes of a model of the system */
async function subjectOf<C = ModelConfig>(source: ModelSource | null): Promise<ModelSubject<C> | null> {
  return source === null ? null : (await import('../inference/open-model.js')).openModel<C>(source);
}
