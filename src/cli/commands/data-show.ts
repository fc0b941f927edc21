/** `gsva data show`: pictures of samples, the way training sees them. */
import { readdirSync, statSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { openTrainingSet, parseSetSpec } from '../../data/dataset-registry.js';
import { openOwnData } from '../../data/own/own-data.js';
import { ownDataSpec } from '../../data/own/own-data-line.js';
import { makeSample } from '../../data/sampling/load-sample.js';
import type { MakeLessons, SampleOptions, TrainingSet } from '../../data/facts.js';
import { UsageError, UserError } from '../../errors.js';
import { writeConversationPanel } from '../../evaluation/report/conversation-panel.js';
import { writeDirectoryAtomic } from '../../io/atomic/atomic-file.js';
import { writeJson } from '../../io/json/json-file.js';
import { Random } from '../../random.js';
import { systemNamed } from '../../systems/index.js';
import { counted } from '../../workflows/watch.js';
import { type CommandContext, defineCommand } from '../command.js';
import { plainTarget } from '../dry-run-output.js';
import { option, required, withDefault } from '../options/option.js';
import { requireFolder, SEED, TEXT, wholeNumber } from '../options/values.js';

const MOST_SAMPLES = 1000;

export const command = defineCommand({
  positionals: {
    spec: required(
      'A dataset or own data, and its split if not train: grefcoco, refcoco+:testA, my/data.jsonl:val',
      TEXT,
    ),
    count: required('How many samples', wholeNumber()),
  },
  options: {
    data: option('Folder of the datasets (not for own data)', TEXT),
    out: required('Folder to write', TEXT),
    seed: withDefault('The same seed gives the same samples', SEED, 1),
    'per-sample': withDefault(
      'Expressions or classes of an image in one conversation, at most',
      wholeNumber(1, 100),
      5,
    ),
    'absent-classes': withDefault(
      'Semantic segmentation: absent classes that are asked for too',
      wholeNumber(0, 100),
      0,
    ),
  },
  examples: {
    'gsva data show grefcoco 8 --data data --out shown': 'eight images of gRefCOCO, with questions and answers',
    'gsva data show my/data.jsonl 8 --out shown': 'eight images of your own data',
    'gsva data show ade20k:validation 3 --data data --out shown --seed 7': 'another split, other images',
    'gsva data show ade20k 3 --data data --out shown --absent-classes 2': 'with absent classes, as [REJ]',
  },
  async run(args, context) {
    const { spec, count, data = null, out, seed } = args;
    const options = { perSample: args.perSample, absentClasses: args.absentClasses };
    if (!Number.isSafeInteger(count) || count < 1 || count > MOST_SAMPLES) {
      throw new UsageError(`the count must be a whole number from 1 to ${MOST_SAMPLES}, not ${count}`);
    }
    if (data !== null) requireFolder('--data', data);
    const { name, split, set } = await openSpec(spec, data, out, context);
    const report = counted(context, 'samples');
    const dialogue = (await systemNamed('gsva', `Showing ${spec}`)).dialogue(null, {});
    const shown: object[] = [];
    let bad = 0;
    const onBad = (error: UserError): void => {
      bad++;
      if (bad <= MOST_NAMED) context.onNote(`left out: ${error.message}`);
    };
    const samples = samplesOf(set, seed, options, dialogue.lessons.bind(dialogue), onBad);
    await writeDirectoryAtomic(out, async (folder) => {
      for await (const { index, image, pixels, lessons } of samples) {
        const file = `sample-${String(shown.length + 1).padStart(3, '0')}.png`;
        await writeConversationPanel(join(folder, file), `${name} (${split}), ${image}`, pixels, lessons);
        const conversations = lessons.map(({ turns, targets }) => ({ turns, targets: targets.map(plainTarget) }));
        shown.push({ file, index, image, conversations });
        report(shown.length, Math.min(count, set.length));
        if (shown.length === count) break;
      }
      if (shown.length === 0) throw new UserError(`Showing ${spec}: none of its ${set.length} images gives a sample.`);
      writeJson(join(folder, 'samples.json'), { set: name, split, seed, ...options, samples: shown });
    });
    if (bad > MOST_NAMED) context.onNote(`and ${bad - MOST_NAMED} more bad samples`);
    context.output.line(`${out}: ${shown.length} of ${set.length} images of ${name} (${split}), seed ${seed}`);
    context.output.json({ out, set: name, split, seed, images: set.length, bad, samples: shown });
    return 0;
  },
});

/** Draws of an image that have nothing to segment, before another image is taken. */
const MOST_DRAWS = 10;
/** Bad samples that are reported one by one. */
const MOST_NAMED = 5;
/** Files of a folder of samples; a folder with any other file is the user's own and is not replaced. */
const OWN_FILE = /^(sample-\d{3,}\.png|samples\.json)$/;

/** @throws UserError where there is no such set, split or file, or --out lies in the datasets */
async function openSpec(spec: string, data: string | null, out: string, { onNote }: CommandContext) {
  const own = ownDataSpec(spec);
  if (own !== null) {
    checkOut(out, null);
    onNote(`reading ${own.file} (${own.split}) ...`);
    return { name: basename(own.file), split: own.split, set: await openOwnData(own.file, own.split) };
  }
  if (data === null) throw new UserError(`--data is missing: the folder of the datasets, of which ${spec} is one`);
  const { name, split } = parseSetSpec(spec);
  checkOut(out, data);
  onNote(`reading ${name} (${split}) ...`);
  return { name, split, set: openTrainingSet(name, data, split) };
}

/** Images in random order, each once; those that give no sample are passed over. */
async function* samplesOf(
  set: TrainingSet,
  seed: number,
  options: SampleOptions,
  lessonsOf: MakeLessons,
  onBad: (error: UserError) => void,
) {
  const random = new Random(seed);
  for (const index of random.shuffle(Array.from({ length: set.length }, (_, i) => i))) {
    const request = set.requestAt(index);
    try {
      for (let draw = 0; draw < MOST_DRAWS; draw++) {
        const own = random.fork(index * MOST_DRAWS + draw);
        const sample = await makeSample(request, own, options);
        if (sample === null) continue;
        const lessons = lessonsOf(sample.facts, own);
        yield { index, image: request.image, pixels: await sample.image(), lessons };
        break;
      }
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      onBad(error);
    }
  }
}

/** Nothing is written into the datasets, and nobody's files are replaced. */
function checkOut(out: string, data: string | null): void {
  if (data !== null && !relative(resolve(data), resolve(out)).startsWith('..')) {
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
