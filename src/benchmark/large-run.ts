/**
 * Run in a process of its own: loads a large model, looks at an image, reads a question, writes some tokens, draws a mask,
 * and prints a LargeRun.
 */
import { describeEngine, startEngine } from '../engine/engine.js';
import { messageOf } from '../errors.js';
import { DecodingSession } from '../inference/decoding-session.js';
import { masksOfStates, readNextToken } from '../inference/draw-masks.js';
import { loadPredictor } from '../inference/open-model.js';
import { Random } from '../random.js';
import type { RgbImage } from '../types.js';
import { USUAL_WORKLOAD } from './bench-config.js';
import { peakRss } from './timing.js';

export interface LargeRunRequest {
  readonly model: string;
  readonly engine: string;
  readonly threads: number | null;
  readonly newTokens: number;
}

/** Seconds, and bytes of the whole process. */
export interface LargeRun {
  readonly engine: string;
  readonly load: number;
  readonly rssLoaded: number;
  /** Both encoders on one image. */
  readonly encode: number;
  /** Tokens of question and image. */
  readonly promptTokens: number;
  /** From the encoded image to the first token of the answer. */
  readonly prompt: number;
  /** Seconds of each further token. */
  readonly token: number;
  readonly mask: number;
  /** A whole question with its answer, decided for one expression, on the encoded image. */
  readonly question: number;
  readonly answer: string;
  readonly peakRss: number;
}

const EXPRESSION = 'the red cup';
/** As long as the published question about it. */
const QUESTION = `<image>\n What are ${EXPRESSION}in this image? Please output segmentation masks.`;

async function run({ model, engine, threads, newTokens }: LargeRunRequest): Promise<LargeRun> {
  const info = await startEngine({ engine, ...(threads === null ? {} : { threads }) });
  const [{ predictor }, load] = await timed(() => loadPredictor(model));
  const rssLoaded = process.memoryUsage.rss();
  const [[image], encode] = await timed(() => predictor.encode([randomImage()]));
  if (image === undefined) throw new Error('the image was not encoded');
  const { network, asking } = predictor;
  const { inputIds } = asking.tokenized({ user: QUESTION, assistant: null });
  const session = new DecodingSession(network, image);
  const [first, prompt] = await timed(() => session.feed(inputIds));
  let { logits } = first;
  const [, tokens] = await timed(async () => {
    for (let i = 0; i < newTokens; i++) {
      ({ logits } = await session.feed([readNextToken(logits, asking.vocabulary).argmax]));
    }
  });
  session.dispose();
  const [, mask] = await timed(() => masksOfStates(network, image, [first.state]));
  const [{ answer }, question] = await timed(() => predictor.ask({ image, expressions: [EXPRESSION] }));
  const promptTokens = inputIds.length - 1 + network.patches;
  return {
    ...{ engine: describeEngine(info), load, encode, prompt, token: tokens / newTokens, mask, question, answer },
    ...{ promptTokens, rssLoaded, peakRss: peakRss() },
  };
}

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const start = performance.now();
  const result = await work();
  return [result, (performance.now() - start) / 1000];
}

function randomImage(): RgbImage {
  const { height, width } = USUAL_WORKLOAD;
  const random = new Random(1);
  return { data: Uint8Array.from({ length: height * width * 3 }, () => random.integer(256)), height, width };
}

void run(JSON.parse(process.argv[2] ?? '{}') as LargeRunRequest).then(
  (result) => process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0)),
  (error: unknown) => process.stderr.write(`${messageOf(error)}\n`, () => process.exit(1)),
);
