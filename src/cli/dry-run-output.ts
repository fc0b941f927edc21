/** The result of `gsva train --dry-run`, for people and for programs. */
import { lacking } from '../benchmark/fits.js';
import type { MemoryPlan } from '../benchmark/memory-plan.js';
import type { Lesson } from '../data/facts.js';
import { bytesText, machineMemory } from '../machine.js';
import type { ExampleConversation, ExampleSample } from '../training/example-batch.js';
import type { ScheduleForm } from '../training/loop/schedule.js';
import type { DryRun } from '../workflows/dry-run.js';
import type { Output } from './output.js';
import { duration } from '../workflows/watch.js';

/** Samples of the batch that are printed; all are in the JSON and in the pictures. */
const SHOWN_SAMPLES = 4;

export function showDryRun(run: DryRun, output: Output): void {
  const { config, hasStart } = run;
  output.line(output.colors.bold(config.description));
  const sizes = hasStart ? '' : ' (ABSENT: sizes as published, nothing can be trained yet)';
  output.line(` from ${config.start ?? 'random weights'}${sizes}`);
  showLength(run, output);
  output.line();
  showParts(run.plan, 'trained', output);
  for (const show of [showMemory, showTime, showBatch]) {
    output.line();
    show(run, output);
  }
}

export function dryRunJson(run: DryRun, file: string): object {
  const { config, ranks, hasStart, images, length, plan, memory, speed, batch, pictures } = run;
  const { batchSize, accumulation } = config.training;
  return {
    config: file,
    description: config.description,
    stage: config.stage,
    start: { path: config.start, isThere: hasStart },
    data: { ...config.data, images: images.count, missing: images.missing },
    training: config.training,
    ranks,
    samplesPerUpdate: batchSize * accumulation * ranks,
    updates: length?.updates ?? null,
    samples: length?.samples ?? null,
    epochs: epochsOf(run),
    parts: plan.parts,
    parameters: plan.parameters,
    trainable: plan.trainable,
    featuresPerImage: plan.featuresPerImage,
    questionFlops: plan.questionFlops,
    stepFlops: plan.stepFlops,
    memory,
    speed: speed.value,
    notMeasured: speed.missing,
    seconds: secondsOf(run),
    batch: batch.value?.map(plainSample) ?? null,
    noBatch: batch.missing,
    pictures,
  };
}

/** The effect of a schedule's form that its lengths do not show. */
const FORMS: Readonly<Record<ScheduleForm, string>> = {
  linear: '',
  published: ' (published: update 1 has the full rate, update 2 has 0, all others are one later)',
  'published-0.19': ' (published-0.19: updates 1 and 2 have 0, all others are one later)',
};

function showLength(run: DryRun, output: Output): void {
  const { config, ranks, images, length } = run;
  const { batchSize, accumulation, schedule } = config.training;
  const { data } = config;
  const sets = 'sets' in data ? data.sets.join(', ') : data.kind;
  const place = data.kind === 'scenes' ? 'drawn' : data.kind === 'jsonl' ? data.file : data.dir;
  output.line(` data: ${sets} (${place})${images.missing === null ? '' : ' ABSENT'}`);
  if (images.missing !== null) output.line(`   ${images.missing}`);
  const counted = images.missing === null ? '' : ' as published';
  const known = images.count === null ? 'unknown' : `${images.count}${counted}`;
  output.line(` images: ${known}, epochs: ${epochsOf(run)?.toFixed(2) ?? 'unknown'}`);
  const perUpdate = batchSize * accumulation * ranks;
  const processes = ranks === 1 ? '' : ` × ${ranks} processes`;
  const updates = length === null ? `${schedule.totalEpochs ?? 0} epochs` : `${length.updates} updates`;
  output.line(` ${updates} of ${batchSize} × ${accumulation}${processes} = ${perUpdate} samples`);
  if (length !== null) output.line(` samples: ${length.samples}`);
  const minutes = schedule.maxMinutes === undefined ? '' : `, ${schedule.maxMinutes} minutes at most`;
  const form = FORMS[schedule.form ?? 'linear'];
  output.line(
    ` learning rate ${schedule.learningRate}, ${schedule.warmupUpdates} updates of warm-up, ${schedule.decay} decay${form}${minutes}`,
  );
}

/** @param trained title of the column of trained parameters */
export function showParts(plan: MemoryPlan, trained: string, output: Output): void {
  const millions = (count: number): string => `${(count / 1e6).toFixed(2)} M`;
  const all = { part: 'all', parameters: plan.parameters, trainable: plan.trainable };
  const rows = [...plan.parts, all].map((one) => [one.part, millions(one.parameters), millions(one.trainable)]);
  output.table(['part', 'parameters>', `${trained}>`], rows);
}

/** "arithmetic: 1.65 TFLOP a question, 51 TFLOP a micro-batch (forward and backward)" */
export function arithmeticText({ questionFlops, stepFlops }: MemoryPlan): string {
  const text = (flops: number): string => `${(flops / 1e12).toPrecision(3)} TFLOP`;
  const step = `${text(stepFlops)} a micro-batch (forward and backward)`;
  return ` arithmetic: ${text(questionFlops)} a question about one target, ${step}`;
}

function showFeatures({ featuresPerImage }: MemoryPlan, output: Output): void {
  const kept = `features of an image, where they are kept: ${bytesText(featuresPerImage)}`;
  output.line(` ${featuresPerImage === 0 ? 'the encoders train: no features are kept' : kept}`);
}

function showMemory({ plan, memory, ranks }: DryRun, output: Output): void {
  const machine = machineMemory();
  const { weights, gradients, optimizer, exchange, engines } = memory;
  const each = ranks === 1 ? '' : ` of each of ${ranks} processes`;
  output.line(
    ` memory${each}: weights ${bytesText(weights)}, gradients ${bytesText(gradients)}, ` +
      `AdamW ${bytesText(optimizer)}${exchange === 0 ? '' : `, exchange ${bytesText(exchange)}`}`,
  );
  showFeatures(plan, output);
  output.line(arithmeticText(plan));
  const rows = engines.map(({ engine, activations, tensors, process }) => {
    const missing = lacking(engine, { tensors, process: process * ranks }, machine);
    return [engine, ...[activations, tensors, process].map(bytesText), missing === null ? 'yes' : `no: ${missing}`];
  });
  output.table(['engine', 'activations>', 'all tensors>', 'process>', 'fits here'], rows);
  const all = ranks === 1 ? '' : `, for all ${ranks} processes`;
  output.line(` on a GPU all tensors lie on the card; here: ${bytesText(machine.available)} of memory available${all}`);
}

function showTime(run: DryRun, output: Output): void {
  const { speed, ranks, config } = run;
  if (speed.missing !== null) {
    output.line(` time: not measured: ${speed.missing}`);
    return;
  }
  const { engine, newImages, keptImages, update, loadSample } = speed.value;
  output.line(` time, measured here on ${engine}:`);
  output.line(
    `   a micro-batch ${newImages.toFixed(2)} s, ${keptImages.toFixed(2)} s with the images' features kept; ` +
      `AdamW ${update.toFixed(2)} s; loading a sample ${loadSample.toFixed(3)} s`,
  );
  const seconds = secondsOf(run);
  if (seconds === null) return;
  const others = ranks === 1 ? '' : `, on ${ranks} devices as fast as this one, exchanges not counted`;
  const minutes = config.training.schedule.maxMinutes;
  const bound = minutes === undefined ? '' : `; it ends after ${duration(60 * minutes)} at the latest`;
  const [least, most] = Object.values(seconds).sort((a, b) => a - b) as [number, number];
  output.line(`   the run: ${duration(least)} to ${duration(most)}${others}${bound}`);
}

function showBatch({ batch, pictures }: DryRun, output: Output): void {
  if (batch.missing !== null) {
    output.line(` first batch: not shown: ${batch.missing}`);
    return;
  }
  output.line(` first batch: ${batch.value.length} samples; learned text stands in «»`);
  for (const { name, conversations } of batch.value.slice(0, SHOWN_SAMPLES)) {
    output.line(`\n ${output.colors.bold(name)}`);
    for (const conversation of conversations) showConversation(conversation, output);
  }
  const more = batch.value.length - SHOWN_SAMPLES;
  if (more > 0) output.line(` and ${more} more (all with --json, and as pictures with --out)`);
  for (const file of pictures) output.line(` ${file}`);
}

function showConversation({ pieces, targets, tokens, learnedTokens }: ExampleConversation, output: Output): void {
  const text = pieces.map((piece) => (piece.isLearned ? output.colors.green(`«${piece.text}»`) : piece.text)).join(' ');
  output.line(`   ${text.replaceAll('\n', '\n   ')}`);
  for (const { text: name, pixels } of targets.map(plainTarget)) {
    output.line(`     ${name}: ${pixels === null ? '[REJ]' : `[SEG] ${pixels} pixels`}`);
  }
  output.line(`     ${tokens} tokens, ${learnedTokens} of them learned`);
}

function plainSample({ name, conversations }: ExampleSample): object {
  const plain = conversations.map(({ pieces, targets, tokens, learnedTokens }) => {
    return { pieces, tokens, learnedTokens, targets: targets.map(plainTarget) };
  });
  return { image: name, conversations: plain };
}

/** A target with the number of its pixels; null for one that is absent. */
export function plainTarget({ text, mask }: Lesson['targets'][number]): { text: string; pixels: number | null } {
  return { text, pixels: mask === null ? null : mask.data.reduce((sum, value) => sum + value, 0) };
}

function epochsOf({ images, length }: DryRun): number | null {
  return images.count === null || length === null ? null : length.samples / images.count;
}

/** Seconds of the whole run: where every image is encoded again, and where the features of all are kept. */
function secondsOf({ config, length, speed }: DryRun) {
  if (length === null || speed.value === null) return null;
  const { newImages, keptImages, update } = speed.value;
  const of = (microBatch: number): number => length.updates * (config.training.accumulation * microBatch + update);
  return { newImages: of(newImages), keptImages: of(keptImages) };
}
