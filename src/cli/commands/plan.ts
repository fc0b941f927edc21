/** `gsva plan`: the memory that a model needs, planned before anything is loaded. */
import { lacking } from '../../benchmark/fits.js';
import type { EnginePlan, MemoryPlan } from '../../benchmark/memory-plan.js';
import type { PlanSource } from '../../benchmark/plan-source.js';
import { findInstallation } from '../../engine/tensorflow-installation.js';
import { UsageError } from '../../errors.js';
import { bytesText, machineMemory, type MachineMemory } from '../../machine.js';
import type { FrozenWeights } from '../../training/config/frozen-weights.js';
import { type CommandContext, defineCommand } from '../command.js';
import { arithmeticText, showParts } from '../dry-run-output.js';
import { flag, option, required } from '../options/option.js';
import { FROZEN_WEIGHTS_OPTION } from '../options/shared.js';
import { INPUT_PATH, requireFile, textAs, wholeNumber } from '../options/values.js';
import type { Output } from '../output.js';
import { runGsva } from '../own-process.js';

/** '480x640' → [480, 640]. */
const IMAGE_SIZE = textAs('must be HEIGHTxWIDTH in pixels, such as 480x640', (text) => {
  const match = /^(\d{2,4})x(\d{2,4})$/.exec(text);
  return match === null ? undefined : ([Number(match[1]), Number(match[2])] as const);
});

/** The plan is right when no engine differs by more. */
const MOST_DIFFERENCE = 0.15;

export const command = defineCommand({
  options: {
    config: required("A training configuration, a benchmark, or a model's config.json", INPUT_PATH),
    batch: option('Conversations of a training step (default: as in the file, else 1)', wholeNumber(1, 4096)),
    tokens: option(
      "Tokens of a conversation, the image counted as one (default: the file's longest, else 256)",
      wholeNumber(16, 8192),
    ),
    masks: option('Masks of a conversation (default: as in the file, else 5)', wholeNumber(1, 64)),
    image: option('Size of images and masks (default: as in the file, else 480x640)', IMAGE_SIZE),
    'frozen-weights': FROZEN_WEIGHTS_OPTION,
    check: flag('Measure too, with every engine of this processor, and compare (benchmarks only)'),
  },
  examples: {
    'gsva plan --config configs/tiny.json5': 'parameters, and bytes on every engine',
    'gsva plan --config model/config.json --batch 2 --image 1024x1024 --json': 'for a program to read',
    'gsva plan --config configs/bench-small/config.json5 --check': 'the plan, next to what is measured',
  },
  async run(args, context) {
    requireFile('--config', args.config);
    const { config, check, batch, tokens, masks, image, frozenWeights } = args;
    const sizes = { batch, tokens, masks, image };
    const { openPlanSource } = await import('../../benchmark/plan-source.js');
    const source = await openPlanSource(config, { ...sizes, frozenWeights });
    const isAsItIs = Object.values(sizes).every((size) => size === undefined);
    if (check && (source.kind !== 'benchmark' || !isAsItIs)) {
      throw new UsageError(
        '--check compares with `gsva bench`: it takes a benchmark as it is, without --batch and the like',
      );
    }
    const { planMemory } = await import('../../benchmark/memory-plan.js');
    const plan = await planMemory(source);
    const memory = machineMemory();
    show(source, plan, memory, context.output);
    const measured = check ? await measure(config, frozenWeights ?? 'f32', plan, context) : [];
    if (check) showMeasured(measured, context.output);
    const { kind, stage, workload, accumulation } = source;
    context.output.json({
      ...{ config, kind, stage, workload, frozenWeights: source.frozenWeights, accumulation },
      ...plan,
      engines: plan.engines.map((engine) => ({
        ...engine,
        trainingFits: lacking(engine.engine, engine.training, memory) === null,
        inferenceFits: lacking(engine.engine, engine.inference, memory) === null,
      })),
      machine: memory,
      ...(check ? { measured } : {}),
    });
    return measured.every(({ difference }) => Math.abs(difference) <= MOST_DIFFERENCE) ? 0 : 1;
  },
});

function show(source: PlanSource, plan: MemoryPlan, memory: MachineMemory, output: Output): void {
  const { batch, textTokens, masks, height, width } = source.workload;
  showParts(plan, 'trainable', output);
  output.line();
  const inSixteen = plan.packedWeights === 0 ? '' : ` (${bytesText(plan.packedWeights)} of them frozen, in 16 bits)`;
  output.line(
    ` weights ${bytesText(plan.weights)}${inSixteen}, gradients ${bytesText(plan.gradients)}, AdamW ${bytesText(plan.optimizer)}`,
  );
  const kept = plan.keptFeatures === 0 ? '' : `, of all images up to ${bytesText(plan.keptFeatures)}`;
  output.line(arithmeticText(plan));
  if (plan.featuresPerImage === 0) output.line(' the encoders train: no features are kept');
  else output.line(` features kept of each image: ${bytesText(plan.featuresPerImage)}${kept}`);
  output.line(
    ` stage ${source.stage}, batch ${batch}, ${textTokens} tokens, ${masks} masks of ${height} × ${width} pixels` +
      (source.accumulation > 1 ? `, ${source.accumulation} micro-batches` : ''),
  );
  output.line();
  const cells = (engine: EnginePlan, peak: EnginePlan['training']): string[] => {
    const missing = lacking(engine.engine, peak, memory);
    return [bytesText(peak.tensors), bytesText(peak.process), missing === null ? 'yes' : `no: ${missing}`];
  };
  const rows = plan.engines.map((each) => [each.engine, ...cells(each, each.training), ...cells(each, each.inference)]);
  output.table(['engine', 'training: tensors>', 'process>', 'fits', 'inference: tensors>', 'process>', 'fits'], rows);
  const container = memory.containerLimit === null ? '' : `, ${bytesText(memory.containerLimit)} for this container`;
  output.line(` on a GPU (webgpu, tensorflow --device gpu) the tensors lie on the card`);
  output.line(` here: ${bytesText(memory.total)} of memory${container}, ${bytesText(memory.available)} available`);
}

/** Peak memory of `gsva bench` in a process of its own per engine and kind of work. */
async function measure(config: string, frozenWeights: FrozenWeights, plan: MemoryPlan, context: CommandContext) {
  const engines = plan.engines.filter(({ engine }) => {
    return engine === 'wasm' || engine === 'openblas' || (engine === 'tensorflow' && findInstallation()?.gpu === false);
  });
  const found = [];
  for (const { engine, training, inference } of engines) {
    const works = [
      ['training', 'training step', training] as const,
      ['inference', 'evaluated image', inference] as const,
    ];
    for (const [what, part, { process: planned }] of works) {
      context.onNote(`measuring ${what} on ${engine} ...`);
      const run = ['--engine', engine, '--frozen-weights', frozenWeights, '--runs', '2', '--only', part, '--json'];
      const answer = await runGsva(['bench', '--config', config, ...run], context);
      const { peakRss: measured } = JSON.parse(answer) as { readonly peakRss: number };
      found.push({ engine, what, planned, measured, difference: planned / measured - 1 });
    }
  }
  return found;
}

function showMeasured(measured: Awaited<ReturnType<typeof measure>>, output: Output): void {
  output.line();
  const rows = measured.map(({ engine, what, planned, measured: found, difference }) => {
    const percent = `${difference > 0 ? '+' : ''}${(100 * difference).toFixed(0)} %`;
    return [what, engine, bytesText(planned), bytesText(found), percent];
  });
  output.table(['process', 'engine', 'planned>', 'measured>', 'difference>'], rows);
}
