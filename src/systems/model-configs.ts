/**
 * Checks of config.json of every system, without their networks: what files that name a system are read with before the
 * system itself is loaded.
 */
import type { OpenedDirectory } from '../checkpoints/checkpoint-directory.js';
import { LLM } from '../config.js';
import { UserError } from '../errors.js';
import { didYouMean } from '../nearest-name.js';
import { object } from '../schema.js';
import {
  PARTIAL_SELF1E,
  readSelf1eConfig,
  SELF1E_SECTIONS,
  type Self1eConfig,
  self1eConfigToJson,
} from './self1e/config.js';
import {
  configOf,
  type ModelConfig,
  modelConfigToJson,
  parseModelConfig,
  PARTIAL_MODEL_SCHEMA,
  SECTION_NAMES,
} from './shared/model-config.js';

/** Sizes of a model of any system. All have an LLM and LoRA. */
export type ModelSizes = ModelConfig | Self1eConfig;

interface ConfigForm {
  /** Sections that a whole config.json has. */
  readonly sections: readonly string[];
  /** @param at where the value stands in the file @throws UserError naming the key */
  parse(json: unknown, source: string, at?: readonly string[]): ModelSizes;
  /** Sizes of an opened model folder. */
  ofFolder(opened: Omit<OpenedDirectory, 'meta'>): ModelSizes;
  toJson(config: ModelSizes): Record<string, unknown>;
}

const LLAVA_SAM: ConfigForm = {
  sections: SECTION_NAMES,
  parse: parseModelConfig,
  ofFolder: configOf,
  toJson: (config) => modelConfigToJson(config as ModelConfig),
};
const SELF1E: ConfigForm = {
  sections: SELF1E_SECTIONS,
  parse: readSelf1eConfig,
  ofFolder: ({ json, configPath }) => readSelf1eConfig(json, configPath),
  toJson: (config) => self1eConfigToJson(config as Self1eConfig),
};
const FORMS: Readonly<Record<string, ConfigForm>> = { gsva: LLAVA_SAM, lisa: LLAVA_SAM, self1e: SELF1E };

/** Form of a system's config.json; of a file without "system" the first releases'. @throws UserError for another name */
export function configForm(system: string | undefined, source: string): ConfigForm {
  if (system === undefined) return LLAVA_SAM;
  const form = Object.hasOwn(FORMS, system) ? FORMS[system] : undefined;
  if (form !== undefined) return form;
  throw new UserError(
    `${source}: there is no system ${JSON.stringify(system)}${didYouMean(system, Object.keys(FORMS))}.`,
  );
}

/** Sizes of an opened model folder, of whatever system it is. @throws UserError naming file and key */
export function sizesOfFolder(opened: Omit<OpenedDirectory, 'meta'>): ModelSizes {
  const { system } = opened.json as { readonly system?: string };
  return configForm(system, opened.configPath).ofFolder(opened);
}

/** Value of config.json. */
export function sizesToJson(config: ModelSizes): Record<string, unknown> {
  return configForm(config.system, 'Writing config.json').toJson(config);
}

const [llava, self1e] = [PARTIAL_MODEL_SCHEMA.shape, PARTIAL_SELF1E.shape];

/** Some of the sizes of a model of any system, under the keys of config.json. */
export const PARTIAL_SIZES = object({
  ...{ ...self1e, ...llava },
  llm: LLM.partial(),
  lora: object({ ...self1e.lora.unwrap().shape, ...llava.lora.unwrap().shape }).partial(),
  tokens: object({ ...self1e.tokens.unwrap().shape, ...llava.tokens.unwrap().shape }).partial(),
}).partial();
