/**
 * Which model a run trains: written out in its configuration, or that of the start model's folder, of which the
 * configuration replaces what it names.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type ModelConfig, modelConfigToJson, parseModelConfig } from '../../config.js';
import { CONVERSATION_STYLES, type ConversationStyle } from '../../data/text/conversation.js';
import { JsonReader } from '../../io/json/json-reader.js';
import { openModelDirectory } from '../../checkpoints/checkpoint-directory.js';
import { readVariant } from '../../checkpoints/read-variant.js';
import { packagedPath } from '../../program.js';
import { GSVA_VARIANT, type Variant } from '../../variant.js';
import { merged } from '../config/extended-config.js';

export interface ModelOfRun {
  readonly model: ModelConfig;
  /** Folder with the tokenizer's files. */
  readonly tokenizer: string;
  readonly conversation: ConversationStyle;
  /** What answers are made of; as published unless the configuration or the start model say otherwise. */
  readonly variant: Variant;
  /** Subjects that the model will know, in a few words; null: those of the start model, unless the data is one's own. */
  readonly knows: string | null;
}

/** What a model has that is written out; with fewer of them, it is what differs from the start model. */
const SECTIONS = ['clip', 'llm', 'sam', 'lora', 'tokens', 'loss'];

/**
 * @param start the start model's folder; null for random weights
 * @param forPlan whether `plannedModel` stands in for a start folder that is not there
 * @throws UserError naming file and key
 */
export function readModelOfRun(root: JsonReader, path: string, start: string | null, forPlan: boolean): ModelOfRun {
  const knows = readKnows(root);
  const written = root.optional('model');
  const variant = root.optional('variant');
  const isWhole = written !== null && SECTIONS.every((section) => written.optional(section) !== null);
  const isComplete = isWhole && ['tokenizer', 'conversation'].every((key) => root.optional(key) !== null);
  const planned = readPlannedModel(root, path, written);
  if (start === null || isComplete) {
    return {
      model: parseModelConfig(root.key('model').value, `${path}: model`),
      tokenizer: packagedPath(root.key('tokenizer').string()),
      conversation: root.key('conversation').oneOf(CONVERSATION_STYLES),
      variant: readVariant(variant),
      knows,
    };
  }
  const tokenizer = packagedPath(root.optional('tokenizer')?.string() ?? start);
  const style = root.optional('conversation')?.oneOf(CONVERSATION_STYLES) ?? null;
  if (forPlan && planned !== null && !isFolder(start)) {
    const conversation = style ?? root.key('conversation').oneOf(CONVERSATION_STYLES);
    return { model: planned, tokenizer, conversation, variant: readVariant(variant), knows };
  }
  const { config, meta } = openModelDirectory(start);
  const ownStyle = JsonReader.of(meta, join(start, 'meta.json')).key('conversation');
  return {
    model: withChanges(isWhole ? {} : modelConfigToJson(config), written, path),
    tokenizer,
    conversation: style ?? ownStyle.oneOf(CONVERSATION_STYLES),
    variant: variant === null ? (meta.variant ?? GSVA_VARIANT) : readVariant(variant),
    knows,
  };
}

function readKnows(root: JsonReader): string | null {
  const key = root.optional('knows');
  if (key?.string().trim() === '') key.fail('a few words on what the model will know, such as "coloured shapes only"');
  return key?.string() ?? null;
}

/** Checked whether it is needed or not, so that a mistake in it is found at once. */
function readPlannedModel(root: JsonReader, path: string, written: JsonReader | null): ModelConfig | null {
  const planned = root.optional('plannedModel');
  return planned === null ? null : withChanges(planned.object(), written, path);
}

function withChanges(json: Record<string, unknown>, written: JsonReader | null, path: string): ModelConfig {
  return parseModelConfig(written === null ? json : merged(json, written.object()), `${path}: model`);
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
