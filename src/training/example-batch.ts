/** The first samples of a run for a person to read: which words are learned, and what every decision stands for. */
import { sourceOf } from '../data/sampling/source-of.js';
import { SampleLoader } from '../data/sampling/sample-loader.js';
import type { Lesson } from '../data/facts.js';
import { tokenizeConversation } from '../data/text/conversation.js';
import type { Tokenizer } from '../data/text/tokenizer.js';
import { Random } from '../random.js';
import { IGNORE_LABEL } from '../special-tokens.js';
import type { System } from '../systems/system.js';
import type { ExperimentConfig } from './config/experiment-config.js';
import type { GroundingData } from './grounding-task.js';

/** A stretch of a conversation that is all learned, or all given. */
export interface LabelledText {
  readonly text: string;
  /** Whether its tokens have labels: the loss of the text is theirs. */
  readonly isLearned: boolean;
}

export interface ExampleConversation extends Lesson {
  /** As the tokens read that are trained on, cut where they are. */
  readonly pieces: readonly LabelledText[];
  readonly tokens: number;
  readonly learnedTokens: number;
}

export interface ExampleSample {
  /** Path of the image. */
  readonly name: string;
  readonly conversations: readonly ExampleConversation[];
}

/**
 * The first micro-batch of a run as text and masks.
 * @param tokenizer with the added tokens
 * @throws UserError where the data gives no samples
 */
export async function exampleBatch(
  system: System,
  config: ExperimentConfig,
  tokenizer: Tokenizer,
  data: GroundingData,
): Promise<ExampleSample[]> {
  const { batchSize, seed } = config.training;
  // As the trainer and its task do it.
  const source = sourceOf(data, new Random(seed).fork(0));
  const dialogue = system.dialogue(config.model, config);
  const loader = new SampleLoader(source, {
    sample: data.sample,
    lessons: (facts, random) => dialogue.lessons(facts, random),
    pictures: system.pictures(config.model),
    workers: 0,
  });
  const samples: ExampleSample[] = [];
  try {
    for (let position = 0; samples.length < batchSize; position++) {
      const loaded = await loader.load(position, () => Promise.resolve(new Set<string>()));
      if (loaded === null) continue;
      const all = loaded.conversations.map((one) => labelled(one, config, tokenizer));
      // Where the question alone fills the length, there is nothing to learn.
      const conversations = all.filter(({ learnedTokens }) => learnedTokens > 0);
      if (conversations.length > 0) samples.push({ name: loaded.name, conversations });
    }
  } finally {
    await loader.close();
  }
  return samples;
}

function labelled({ turns, targets }: Lesson, { conversation, maxLength }: ExperimentConfig, tokenizer: Tokenizer) {
  const { inputIds, labels } = tokenizeConversation(tokenizer, conversation, turns, { maxLength });
  const isLearned = labels.map((label) => label !== IGNORE_LABEL);
  const starts = isLearned.flatMap((learned, i) => (i === 0 || learned !== isLearned[i - 1] ? [i] : []));
  const pieces = starts.map((start, i) => {
    return { text: tokenizer.decode(inputIds.slice(start, starts[i + 1])), isLearned: isLearned[start] === true };
  });
  const learnedTokens = isLearned.filter((learned) => learned).length;
  return { turns, targets, pieces, tokens: inputIds.length, learnedTokens };
}
