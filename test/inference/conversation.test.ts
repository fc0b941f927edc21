/** Several rounds over one KV cache: each answer is that of the whole conversation read at once. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { readTokenizer } from '../../src/data/read-tokenizer.js';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import type { EncodedImage } from '../../src/features/image-features.js';
import { type ChatReply, ChatSession } from '../../src/inference/conversation.js';
import { generate } from '../../src/inference/generate.js';
import { Predictor } from '../../src/inference/predictor.js';
import { segmented } from '../../src/inference/segment-result.js';
import { system as gsva } from '../../src/systems/gsva/system.js';
import { LisaDialogue } from '../../src/systems/lisa/dialogue.js';
import { lisaVocabulary } from '../../src/systems/lisa/system.js';
import { LISA_TOKENS } from '../../src/systems/shared/decision-tokens.js';
import type { LlavaSam } from '../../src/systems/shared/llava-sam.js';
import type { System } from '../../src/systems/system.js';
import type { ModelConfig } from '../../src/systems/shared/model-config.js';
import { ModelCase } from '../../src/verification/model-case.js';
import { fixture } from '../helpers/fixtures.js';
import { networkOf, randomImage, swapHeadColumns, tinyPredictor } from './tiny-predictor.js';

/** LISA's tokens and words on the recorded network of GSVA. */
function lisaPredictor(): Predictor {
  const tokenizer = readTokenizer(fixture('tokenizer'), LISA_TOKENS);
  tokenizer.addTokens(LISA_TOKENS.added);
  const idOf = (token: string): number => tokenizer.tokenId(token) ?? -1;
  const [seg, imStart, imEnd] = LISA_TOKENS.added.map(idOf) as [number, number, number];
  const lisa: System<ModelConfig> = {
    ...gsva,
    vocabulary: ({ llm, tokens }) => lisaVocabulary({ ...tokens, seg, imStart, imEnd }, llm.vocabSize),
    dialogue: () => new LisaDialogue(),
  };
  return new Predictor(lisa, new ModelCase(fixture('gsva-tiny')).buildModel(), tokenizer, 'llava_llama_2');
}

/** The recorded weights draw nothing but empty masks: with the other sign these have pixels. */
function negateMasks(network: LlavaSam): void {
  const last = 'model.visual_model.mask_decoder.output_hypernetworks_mlps.0.layers.2';
  for (const name of [`${last}.weight`, `${last}.bias`]) {
    const parameter = network.namedParameters().get(name);
    if (parameter === undefined) throw new Error(`there is no ${name}`);
    tf.tidy(() => {
      parameter.variable.write(tf.neg(parameter.variable.read()));
    });
  }
}

const FIRST = 'Where is the red circle?';
const SECOND = 'And what is next to it?';
const picture = randomImage(40, 60, 5);
let tensors = 0;

beforeAll(async () => {
  await startEngine();
});

describe.each([
  ['GSVA', tinyPredictor],
  ['LISA', lisaPredictor],
])('%s', (_, open) => {
  let predictor: Predictor;
  let network: LlavaSam;
  let image: EncodedImage;

  beforeAll(async () => {
    predictor = open();
    network = networkOf(predictor);
    negateMasks(network);
    [image] = (await predictor.encode([picture])) as [EncodedImage];
    // A token that the model writes in its second answer becomes [SEG].
    const ids = await idsWritten(async (session) => {
      await session.ask(FIRST, { maxTokens: 5 });
      await session.ask(SECOND, { maxTokens: 5 });
    });
    swapHeadColumns(network, ids.at(-2) ?? 0, predictor.asking.vocabulary.found[0] ?? 0);
  });
  afterAll(() => {
    predictor.dispose();
  });
  beforeEach(() => {
    tensors = tf.memory().numTensors;
  });
  afterEach(() => {
    expect(tf.memory().numTensors).toBe(tensors); // no test leaves a tensor behind
  });

  async function withSession<T>(work: (session: ChatSession) => Promise<T>): Promise<T> {
    const session = new ChatSession(predictor, image);
    try {
      return await work(session);
    } finally {
      session.dispose();
    }
  }

  /** All tokens that the network reads meanwhile. */
  async function idsWritten(work: (session: ChatSession) => Promise<void>): Promise<number[]> {
    const reading = jest.spyOn(network, 'reading');
    try {
      await withSession(work);
      return reading.mock.calls.flatMap(([rows]) => [...rows.tokens.inputIds]);
    } finally {
      reading.mockRestore();
    }
  }

  test('the second answer is that of the whole conversation read at once, and only new tokens are read', async () => {
    const replies: ChatReply[] = [];
    const answered: number[] = [];
    const ids = await idsWritten(async (session) => {
      replies.push(await session.ask(FIRST, { maxTokens: 5 }), await session.ask(SECOND, { maxTokens: 5 }));
      answered.push(replies.length);
    });
    const [first, second] = replies as [ChatReply, ChatReply];
    // Every token once; the last one of an answer is read with the next question.
    expect(first.read + second.read).toBe(ids.length - 1 + network.patches);
    expect(ids.filter((id) => id === -200)).toHaveLength(1);
    expect(ids.filter((id) => id === predictor.asking.vocabulary.end)).toHaveLength(1);
    expect(second.left).toBe(network.positions - (first.read + second.read) - 2);

    const prompt = ids.slice(0, ids.length - 4);
    const whole = await generate(network, predictor.asking.vocabulary, image, prompt, { maxTokens: 5 });
    expect(second.text).toBe(predictor.asking.dialogue.chat.shown(predictor.asking.tokenizer, whole.ids));
    expect(second.findings.length).toBeGreaterThan(0);
    expect(second.findings).toHaveLength(whole.decisions.length);
    for (const [i, { mask, area, box, score }] of second.findings.entries()) {
      const drawn = whole.decisions[i]?.mask;
      if (drawn === null || drawn === undefined) throw new Error('no mask is drawn');
      expect(area).toBeGreaterThan(50);
      const alone = segmented(drawn, null);
      expect({ mask, area, box }).toEqual({ mask: alone.mask, area: alone.area, box: alone.box });
      expect(score).toBeCloseTo(alone.score, 4);
    }
  });

  test('the conversation begins with its questions in the words of the style', async () => {
    const { asking } = predictor;
    const ids = await idsWritten(async (session) => {
      await session.ask(FIRST, { maxTokens: 1 });
      await session.ask(SECOND, { maxTokens: 1 });
    });
    const text = asking.tokenizer.decode(ids);
    expect(text.indexOf(FIRST)).toBeGreaterThan(text.indexOf('<image>'));
    expect(text.indexOf(SECOND)).toBeGreaterThan(text.indexOf('</s>'));
    const [user, assistant] = asking.conversation === 'plain' ? ['USER:', 'ASSISTANT:'] : ['[INST]', '[/INST]'];
    expect(text.split(user)).toHaveLength(3);
    expect(text.split(assistant)).toHaveLength(3);
  });

  test('a question that was stopped is no part of the conversation, and frees what it read', async () => {
    const expected = await withSession(async (session) => [
      await session.ask(FIRST, { maxTokens: 5 }),
      await session.ask(SECOND, { maxTokens: 5 }),
    ]);
    await withSession(async (session) => {
      const stop = (after: number): Promise<ChatReply> => {
        const controller = new AbortController();
        let tokens = 0;
        const onToken = (): void => {
          tokens++;
          if (tokens === after) controller.abort(new Error('enough'));
        };
        if (after === 0) controller.abort(new Error('enough'));
        return session.ask('Is it raining?', { signal: controller.signal, onToken });
      };
      await expect(stop(0)).rejects.toThrow('enough');
      await expect(stop(2)).rejects.toThrow('enough');
      const first = await session.ask(FIRST, { maxTokens: 5 });
      const cache = tf.memory().numTensors;
      await expect(stop(3)).rejects.toThrow('enough');
      expect(tf.memory().numTensors).toBe(cache);
      const second = await session.ask(SECOND, { maxTokens: 5 });
      expect([first, second].map(({ text }) => text)).toEqual(expected.map(({ text }) => text));
      expect(second.findings.map(({ area }) => area)).toEqual(expected[1]?.findings.map(({ area }) => area));
    });
  });

  test('a restart forgets the rounds, and does not read the picture again', async () => {
    await withSession(async (session) => {
      const first = await session.ask(FIRST, { maxTokens: 5 });
      await session.ask(SECOND, { maxTokens: 5 });
      session.restart();
      const again = await session.ask(FIRST, { maxTokens: 5 });
      expect(again.text).toBe(first.text);
      expect(again.left).toBe(first.left);
      expect(again.read).toBeLessThan(first.read - network.patches);
    });
  });

  test('the answer is given token by token', async () => {
    const parts: string[] = [];
    const { text } = await withSession((session) => {
      return session.ask(FIRST, { maxTokens: 5, onToken: (answer) => parts.push(answer) });
    });
    expect(parts).toHaveLength(5);
    expect(parts.at(-1)).toBe(text);
  });

  test('an answer ends where the positions do; then a question is refused, with advice', async () => {
    await withSession(async (session) => {
      const reply = await session.ask(FIRST);
      expect(reply.end).toBe('positions');
      expect(reply.read + 1).toBe(network.positions);
      await expect(session.ask(SECOND)).rejects.toThrow(/256 positions of this model.*\/new/);
      await expect(session.ask(SECOND)).rejects.toMatchObject({ code: 'too-long' });
      session.restart();
      expect((await session.ask(FIRST, { maxTokens: 2 })).end).toBe('max-tokens');
    });
    await withSession(async (session) => {
      await expect(session.ask('why '.repeat(300))).rejects.toThrow('Ask in shorter words.');
    });
  });

  test.each(['[SEG]', '</s>', '<image>', '<im_end>'])('%s in a question is refused by name', async (token) => {
    await withSession(async (session) => {
      await expect(session.ask(`What is ${token} here?`)).rejects.toThrow(`contains ${token}`);
      await expect(session.ask('  ')).rejects.toThrow('the question is empty');
    });
  });

  test('one question at a time', async () => {
    await withSession(async (session) => {
      const first = session.ask(FIRST, { maxTokens: 2 });
      await expect(session.ask(SECOND)).rejects.toThrow('still being answered');
      await first;
    });
  });
});

test('without a token that rejects, fewer than 50 pixels are absent', async () => {
  const predictor = lisaPredictor();
  const network = networkOf(predictor);
  negateMasks(network);
  const finding = async (height: number, width: number): Promise<ChatReply['findings'][number] | undefined> => {
    const [image] = (await predictor.encode([randomImage(height, width, 5)])) as [EncodedImage];
    const session = new ChatSession(predictor, image);
    const reply = await session.ask(FIRST, { maxTokens: 1 });
    session.dispose();
    return reply.findings[0];
  };
  const [large] = (await predictor.encode([picture])) as [EncodedImage];
  const vocabulary = predictor.asking.vocabulary;
  const prompt = predictor.asking.tokenized(predictor.asking.dialogue.chat.turn(FIRST, true)).inputIds;
  const { ids } = await generate(network, vocabulary, large, prompt, { maxTokens: 1 });
  swapHeadColumns(network, ids[0] ?? 0, vocabulary.found[0] ?? 0);
  expect(await finding(7, 7)).toMatchObject({ status: 'rejected', mask: null, rejectProbability: null, text: '' });
  expect(await finding(90, 90)).toMatchObject({ status: 'segmented', rejectProbability: null });
  predictor.dispose();
});
