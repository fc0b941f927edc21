/**
 * SELF1E's way of asking and answering: LISA's words in a conversation per target with one [SEG]; a target that is absent
 * has an empty mask. The published recipe never explains.
 */
import type { Facts, Lesson, Target } from '../../data/facts.js';
import type { Random } from '../../random.js';
import type { Chat } from '../system.js';
import { SEG_TOKEN } from '../shared/decision-tokens.js';
import { chatTurn, fill, withImage } from '../shared/lisa-prompts.js';
import { SingleTargetDialogue } from '../shared/single-target-dialogue.js';

/** Pictures with an explanation are asked about like all others. */
const NEVER_EXPLAINED = -1;

/** InternVL's own program prints an answer without special tokens; its limit is not published. */
const CHAT: Chat = {
  maxTokens: 512,
  turn: chatTurn,
  shown: (tokenizer, ids) => tokenizer.decode(ids, { skipSpecial: true }).trim(),
};

/** Question about all targets of a picture, in no published recipe. */
const TOGETHER = 'Please segment {} in this image.';

interface Options {
  /** Share of explained pictures that are answered in words alone; below 0: never explain. */
  readonly explanationOnly?: number | undefined;
  /** Whether the targets of a picture are learned in one conversation, with a [SEG] each. */
  readonly together?: boolean | undefined;
}

export class Self1eDialogue extends SingleTargetDialogue {
  private readonly together: boolean;

  constructor({ explanationOnly = NEVER_EXPLAINED, together = false }: Options = {}) {
    super(CHAT, explanationOnly);
    this.together = together;
  }

  override readonly lessons = (facts: Facts, random: Random): Lesson[] => {
    const isAsked = this.together && facts.turns.length === 0 && facts.targets.length > 1;
    return isAsked ? [lessonTogether(facts, random)] : this.lessonsApart(facts, random);
  };
}

/** "red circle [SEG], green bar [SEG]." */
function lessonTogether({ targets, height, width }: Facts, random: Random): Lesson {
  const asked = random.shuffle(targets);
  const names = asked.map(({ text }) => text.trim().toLowerCase());
  const answer = `${names.map((name) => `${name} ${SEG_TOKEN}`).join(', ')}.`;
  const maskOf = ({ mask }: Target) => mask ?? { data: new Uint8Array(height * width), height, width };
  return {
    turns: [{ user: withImage(fill(TOGETHER, names.join(', '))), assistant: answer }],
    targets: asked.map((target) => ({ text: target.text, mask: maskOf(target) })),
  };
}
