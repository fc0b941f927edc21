/** Model that a run trains: as configured, or the start model's with the configuration's replacements. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { configForm, type ModelSizes, sizesOfFolder, sizesToJson } from '../../systems/model-configs.js';
import { openModelDirectory } from '../../checkpoints/checkpoint-directory.js';
import { CONVERSATION_STYLES, type ConversationStyle } from '../../data/text/conversation.js';
import { readJson } from '../../io/json/json-file.js';
import { packagedPath } from '../../program.js';
import { object, oneOf, readAs, text } from '../../schema.js';
import { GSVA_VARIANT, type Variant } from '../../systems/shared/variant.js';
import { variantIn } from '../../systems/shared/variant-schema.js';
import type { ExperimentFile } from '../config/experiment-schema.js';
import { merged } from '../config/config-overrides.js';

export interface ModelOfRun {
  readonly model: ModelSizes;
  /** Folder with the tokenizer's files. */
  readonly tokenizer: string;
  readonly conversation: ConversationStyle;
  /** Form of the answers; as published unless the configuration or the start model say otherwise. */
  readonly variant: Variant;
  /** Subjects that the model will know, in a few words; null: those of the start model, unless the data is one's own. */
  readonly knows: string | null;
}

const CONVERSATION = oneOf(CONVERSATION_STYLES);
/** Keys that a configuration needs without a start model. */
const WITHOUT_START = object({ tokenizer: text(), conversation: CONVERSATION }).loose();

/**
 * @param start folder; null: random weights @param forPlan `plannedModel` may replace an absent one @throws UserError
 */
export function readModelOfRun(file: ExperimentFile, path: string, start: string | null, forPlan: boolean): ModelOfRun {
  const { plannedModel, variant = GSVA_VARIANT, knows = null } = file;
  const written = withSystem(file, start);
  const form = configForm(written.system, path);
  const isWhole = form.sections.every((section) => (written as Json)[section] !== undefined);
  const isComplete = isWhole && file.tokenizer !== undefined && file.conversation !== undefined;
  // Read whether it is needed or not, so that a mistake in it is found at once.
  const planned = plannedModel === undefined ? null : modelWith(plannedModel, written, path);
  if (start === null || isComplete) {
    const model = form.parse(file.model === undefined ? undefined : written, path, ['model']);
    const { tokenizer, conversation } = readAs(WITHOUT_START, file, path);
    return { model, tokenizer: packagedPath(tokenizer), conversation, variant, knows };
  }
  const tokenizer = packagedPath(file.tokenizer ?? start);
  if (forPlan && planned !== null && !isFolder(start)) {
    const conversation = readAs(CONVERSATION, file.conversation, path, ['conversation']);
    return { model: planned, tokenizer, conversation, variant, knows };
  }
  const opened = openModelDirectory(start);
  const { meta } = opened;
  return {
    model: modelWith(isWhole ? {} : sizesToJson(sizesOfFolder(opened)), written, path),
    tokenizer,
    conversation:
      file.conversation ?? readAs(CONVERSATION, meta.conversation, join(start, 'meta.json'), ['conversation']),
    variant: file.variant ?? variantIn(meta.variant, join(start, 'meta.json')),
    knows,
  };
}

/** Sizes that the configuration has, and the system that it or the start model names. */
function withSystem({ system, model = {} }: ExperimentFile, start: string | null) {
  const name = system ?? model.system ?? (start === null ? undefined : systemOf(start));
  return name === undefined ? model : { ...model, system: name };
}

/** Name in a model's config.json; undefined in those of earlier versions, and where the folder is absent. */
function systemOf(dir: string): string | undefined {
  const path = join(dir, 'config.json');
  if (!existsSync(path)) return undefined;
  return (readJson(path, "the model's sizes") as { readonly system?: string } | null)?.system;
}

function modelWith(sizes: object, written: { readonly system?: string | undefined }, path: string): ModelSizes {
  const all = merged(sizes as Json, written);
  return configForm(all['system'] as string | undefined, path).parse(all, path, ['model']);
}

type Json = Record<string, unknown>;

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
