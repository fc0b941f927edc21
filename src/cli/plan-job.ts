/** The work behind `gsva plan`. */
import { lacking } from '../benchmark/fits.js';
import { type EnginePlan, type MemoryPlan, planMemory } from '../benchmark/memory-plan.js';
import { type PlanOverrides, type PlanSource, readPlanSource } from '../benchmark/plan-source.js';
import { findInstallation } from '../engine/tensorflow-installation.js';
import { UsageError } from '../errors.js';
import { bytesText, machineMemory, type MachineMemory } from '../machine.js';
import { runCommand } from '../setup/run-command.js';
import type { FrozenWeights } from '../training/config/frozen-weights.js';
import { packagePath } from '../program.js';
import type { VerbContext } from './verb.js';

export interface PlanRequest {
  readonly config: string;
  readonly overrides: PlanOverrides;
  /** Whether to measure too. */
  readonly check: boolean;
}

/** The plan is right when no engine differs by more. */
const MOST_DIFFERENCE = 0.15;

/** @returns the exit code */
export async function runPlan({ config, overrides, check }: PlanRequest, context: VerbContext): Promise<number> {
  const source = readPlanSource(config, overrides);
  const { frozenWeights, ...sizes } = overrides;
  if (check && (source.kind !== 'benchmark' || Object.keys(sizes).length > 0)) {
    throw new UsageError(
      '--check compares with `gsva bench`: it takes a benchmark as it is, without --batch and the like',
    );
  }
  const plan = await planMemory(source);
  const memory = machineMemory();
  show(source, plan, memory, context);
  const measured = check ? await measure(config, frozenWeights ?? 'f32', plan, context) : [];
  if (check) showMeasured(measured, context);
  context.output.json({
    config,
    kind: source.kind,
    stage: source.stage,
    workload: source.workload,
    frozenWeights: source.frozenWeights,
    accumulation: source.accumulation,
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
}

function show(source: PlanSource, plan: MemoryPlan, memory: MachineMemory, { output }: VerbContext): void {
  const { batch, textTokens, masks, height, width } = source.workload;
  const millions = (count: number): string => `${(count / 1e6).toFixed(2)} M`;
  output.table(
    ['part', 'parameters', 'trainable'],
    [
      ...plan.parts.map(({ part, parameters, trainable }) => [part, millions(parameters), millions(trainable)]),
      ['all', millions(plan.parameters), millions(plan.trainable)],
    ],
    { align: ['left', 'right', 'right'] },
  );
  output.line();
  const inSixteen = plan.packedWeights === 0 ? '' : ` (${bytesText(plan.packedWeights)} of them frozen, in 16 bits)`;
  output.line(
    ` weights ${bytesText(plan.weights)}${inSixteen}, gradients ${bytesText(plan.gradients)}, AdamW ${bytesText(plan.optimizer)}`,
  );
  const kept = plan.keptFeatures === 0 ? '' : `, of all images up to ${bytesText(plan.keptFeatures)}`;
  output.line(` features kept of each image: ${bytesText(plan.featuresPerImage)}${kept}`);
  output.line(
    ` stage ${source.stage}, batch ${batch}, ${textTokens} tokens, ${masks} masks of ${height} × ${width} pixels` +
      (source.accumulation > 1 ? `, ${source.accumulation} micro-batches` : ''),
  );
  output.line();
  const cells = (engine: EnginePlan, peak: EnginePlan['training']): string[] => {
    const missing = lacking(engine.engine, peak, memory);
    return [bytesText(peak.tensors), bytesText(peak.process), missing === null ? 'yes' : `no: ${missing}`];
  };
  output.table(
    ['engine', 'training: tensors', 'process', 'fits', 'inference: tensors', 'process', 'fits'],
    plan.engines.map((engine) => [
      engine.engine,
      ...cells(engine, engine.training),
      ...cells(engine, engine.inference),
    ]),
    { align: ['left', 'right', 'right', 'left', 'right', 'right', 'left'] },
  );
  const container = memory.containerLimit === null ? '' : `, ${bytesText(memory.containerLimit)} for this container`;
  output.line(` on a GPU (webgpu, tensorflow --device gpu) the tensors lie on the card`);
  output.line(` here: ${bytesText(memory.total)} of memory${container}, ${bytesText(memory.available)} available`);
}

interface Measured {
  readonly engine: string;
  readonly what: 'training' | 'inference';
  readonly planned: number;
  readonly measured: number;
  /** (planned - measured) / measured */
  readonly difference: number;
}

/** Peak memory of `gsva bench` in a process of its own per engine and kind of work. */
async function measure(
  config: string,
  frozenWeights: FrozenWeights,
  plan: MemoryPlan,
  context: VerbContext,
): Promise<Measured[]> {
  const engines = plan.engines.filter(({ engine }) => {
    return engine === 'wasm' || engine === 'openblas' || (engine === 'tensorflow' && findInstallation()?.gpu === false);
  });
  const found: Measured[] = [];
  for (const { engine, training, inference } of engines) {
    for (const [what, part, planned] of [
      ['training', 'training step', training.process],
      ['inference', 'evaluated image', inference.process],
    ] as const) {
      context.note(`measuring ${what} on ${engine} ...`);
      const run = ['--engine', engine, '--frozen-weights', frozenWeights, '--runs', '2', '--only', part, '--json'];
      const args = ['bench', '--config', config, ...run];
      const answer = await runCommand(process.execPath, [packagePath('bin', 'gsva.js'), ...args], {
        signal: context.signal,
      });
      const { peakRss } = JSON.parse(answer) as { readonly peakRss: number };
      found.push({ engine, what, planned, measured: peakRss, difference: planned / peakRss - 1 });
    }
  }
  return found;
}

function showMeasured(measured: readonly Measured[], { output }: VerbContext): void {
  output.line();
  output.table(
    ['process', 'engine', 'planned', 'measured', 'difference'],
    measured.map(({ engine, what, planned, measured: found, difference }) => [
      what,
      engine,
      bytesText(planned),
      bytesText(found),
      `${difference > 0 ? '+' : ''}${(100 * difference).toFixed(0)} %`,
    ]),
    { align: ['left', 'left', 'right', 'right', 'right'] },
  );
}
