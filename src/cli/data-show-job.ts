/** The work behind `gsva data show`. */
import { readdirSync, statSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { openTrainingSet, parseSetSpec } from '../data/dataset-registry.js';
import { OwnData } from '../data/own/own-data.js';
import { ownDataSpec } from '../data/own/own-data-spec.js';
import { makeSample } from '../data/sampling/make-sample.js';
import type { Lesson } from '../data/facts.js';
import type { SampleOptions, TrainingSet } from '../data/sampling/training-sample.js';
import { gsvaLessons } from '../systems/gsva/lessons.js';
import { UserError } from '../errors.js';
import { writeConversationPanel } from '../evaluation/report/conversation-panel.js';
import { writeDirectoryAtomic } from '../io/atomic/atomic-file.js';
import { writeJson } from '../io/json/json-file.js';
import { Random } from '../random.js';
import type { RgbImage } from '../types.js';
import type { VerbContext } from './verb.js';

export interface ShowRequest {
  /** "grefcoco:train", or a file of own data, "my/data.jsonl:val" */
  readonly spec: string;
  readonly count: number;
  /** Folder of the datasets; null for a file of own data. */
  readonly data: string | null;
  readonly out: string;
  readonly seed: number;
  readonly options: SampleOptions;
}

interface ShownSample {
  readonly index: number;
  readonly image: string;
  readonly pixels: RgbImage;
  readonly conversations: readonly Lesson[];
}

/** Draws of an image that have nothing to segment, before another image is taken. */
const MOST_DRAWS = 10;
/** Bad samples that are told one by one. */
const TOLD = 5;
/** What a folder of samples holds; one with anything else in it is somebody's own and is not replaced. */
const OWN_FILE = /^(sample-\d{3,}\.png|samples\.json)$/;

/** @returns the exit code: 1 where there were no samples to be had */
export async function runShow(request: ShowRequest, context: VerbContext): Promise<number> {
  const { spec, count, data, out, seed, options } = request;
  const { name, split, set } = await openSpec(spec, data, out, context);
  const bar = context.startProgress('samples', Math.min(count, set.length));
  const shown: object[] = [];
  let bad = 0;
  try {
    await writeDirectoryAtomic(out, async (folder) => {
      for await (const found of samplesOf(set, seed, options, onBad)) {
        context.signal.throwIfAborted();
        const { index, image, pixels, conversations } = found;
        const file = `sample-${String(shown.length + 1).padStart(3, '0')}.png`;
        await writeConversationPanel(join(folder, file), `${name} (${split}), ${image}`, pixels, conversations);
        shown.push({ file, index, image, conversations: conversations.map(plainConversation) });
        bar.update(shown.length);
        if (shown.length === count) break;
      }
      if (shown.length === 0) throw new UserError(`Showing ${spec}: none of its ${set.length} images gives a sample.`);
      writeJson(join(folder, 'samples.json'), { set: name, split, seed, ...options, samples: shown });
    });
  } finally {
    bar.stop();
  }
  if (bad > TOLD) context.note(`and ${bad - TOLD} more bad samples`);
  context.output.line(`${out}: ${shown.length} of ${set.length} images of ${name} (${split}), seed ${seed}`);
  context.output.json({ out, set: name, split, seed, images: set.length, bad, samples: shown });
  return 0;

  function onBad(error: UserError): void {
    bad++;
    if (bad <= TOLD) context.note(`left out: ${error.message}`);
  }
}

interface OpenedSpec {
  readonly name: string;
  readonly split: string;
  readonly set: TrainingSet;
}

/** @throws UserError where there is no such set, split or file, or --out lies in the datasets */
async function openSpec(spec: string, data: string | null, out: string, context: VerbContext): Promise<OpenedSpec> {
  const own = ownDataSpec(spec);
  if (own !== null) {
    checkOut(out, null);
    context.note(`reading ${own.file} (${own.split}) ...`);
    return { name: basename(own.file), split: own.split, set: await OwnData.open(own.file, own.split) };
  }
  if (data === null) throw new UserError(`--data is missing: the folder of the datasets, of which ${spec} is one`);
  const { name, split } = parseSetSpec(spec);
  checkOut(out, data);
  context.note(`reading ${name} (${split}) ...`);
  return { name, split, set: openTrainingSet(name, data, split) };
}

/** Images in random order, each once; those that give no sample are passed over. */
async function* samplesOf(
  set: TrainingSet,
  seed: number,
  options: SampleOptions,
  onBad: (error: UserError) => void,
): AsyncGenerator<ShownSample> {
  const random = new Random(seed);
  for (const index of random.shuffle(Array.from({ length: set.length }, (_, i) => i))) {
    const request = set.requestAt(index);
    try {
      for (let draw = 0; draw < MOST_DRAWS; draw++) {
        const own = random.fork(index * MOST_DRAWS + draw);
        const sample = await makeSample(request, own, options);
        if (sample === null) continue;
        const conversations = gsvaLessons(sample.facts, own);
        yield { index, image: request.image, pixels: await sample.image(), conversations };
        break;
      }
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      onBad(error);
    }
  }
}

function plainConversation({ turns, targets }: Lesson): object {
  return {
    turns,
    targets: targets.map(({ text, mask }) => ({
      text,
      pixels: mask === null ? null : mask.data.reduce((sum, value) => sum + value, 0),
    })),
  };
}

/** Nothing is written into the datasets, and nobody's files are replaced. */
function checkOut(out: string, data: string | null): void {
  const inside = data === null ? '..' : relative(resolve(data), resolve(out));
  if (data !== null && (inside === '' || !inside.startsWith('..'))) {
    throw new UserError(`${out} is inside of ${data}, where nothing is written; name another folder as --out`);
  }
  const found = statSync(out, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isDirectory()) throw new UserError(`${out} is a file; --out takes a folder`);
  const other = readdirSync(out).find((file) => !OWN_FILE.test(file));
  if (other === undefined) return;
  throw new UserError(
    `${out} holds ${other}, which is no sample; a folder of samples is replaced as a whole, so name a new one`,
  );
}
