/** `gsva doctor`: checks this machine: what works, what does not, and how to fix it. */
import type { MachineFacts } from '../../doctor/facts.js';
import type { Finding } from '../../doctor/findings.js';
import { parseDevice } from '../../engine/device.js';
import { UsageError } from '../../errors.js';
import { packagePath } from '../../program.js';
import type { EngineRequest } from '../../setup/engine-answer.js';
import { type CommandContext, defineCommand } from '../command.js';
import { flag, option, type ValuesOf } from '../options/option.js';
import { ENGINES, type Hardware } from '../options/shared.js';
import { INPUT_PATH, TEXT } from '../options/values.js';
import type { Output } from '../output.js';
import { tryEngine } from '../own-process.js';

const BRIEF = 'Speeds are estimates, and no engine was waited for long; --all measures and waits.';

const OPTIONS = {
  all: flag('Wait for engines that are slow to start, and measure speeds on large products'),
  model: option('Folder of a model: can it be used here?', INPUT_PATH),
  config: option('A training configuration: can it be run here?', INPUT_PATH),
  data: option("Folder of a dataset in gRefCOCO's layout: is it complete?", TEXT),
};

export const command = defineCommand({
  options: OPTIONS,
  examples: {
    'gsva doctor': 'Node, memory, every engine and its speed, in under ten seconds',
    'gsva doctor --all': 'the same, thoroughly',
    'gsva doctor --model checkpoints/tiny --data data/synth': 'whether these can be used here',
    'gsva doctor --config configs/tiny.json5 --json': 'for a program to read',
    'gsva doctor --engine tensorflow --device gpu': 'exit code 1 where there is no GPU for it',
  },
  /** @returns the exit code: 1 where something is a problem */
  async run(args, context) {
    const [{ gatherFacts }, { diagnose }] = await Promise.all([
      import('../../doctor/facts.js'),
      import('../../doctor/findings.js'),
    ]);
    const facts = await gatherFacts({
      request: requestedEngine(args),
      isThorough: args.all,
      // The question names engine and device; the environment's are for `chosen` only.
      ask: (engine, seconds) => {
        const env = { GSVA_ENGINE: '', GSVA_DEVICE: '' };
        return tryEngine(engine, { env, signal: context.signal, timeout: seconds ?? undefined });
      },
      packageFile: packagePath('package.json'),
      folder: process.cwd(),
      env: process.env,
      note: context.onNote,
    });
    const findings = [...diagnose(facts), ...(await examineFiles(args, facts, context))];
    show(findings, context.output);
    if (!args.all) context.output.line(BRIEF);
    const isFine = findings.every(({ state }) => state !== 'problem');
    context.output.json({ pass: isFine, findings, facts });
    return isFine ? 0 : 1;
  },
});

/** The engine that the options, else the environment ask for. @throws UsageError for an unknown engine or device */
function requestedEngine({ engine, device, threads }: Hardware): EngineRequest {
  const named = process.env.GSVA_ENGINE ?? '';
  const asked = device ?? process.env.GSVA_DEVICE ?? '';
  parseDevice(asked);
  const known = ENGINES.find((name) => name === named);
  if (engine === undefined && named !== '' && known === undefined)
    throw new UsageError(`GSVA_ENGINE must be one of ${ENGINES.join(', ')}, not "${named}"`);
  return { engine: engine ?? known ?? 'auto', device: asked, threads };
}

async function examineFiles(
  { model, config, data }: ValuesOf<typeof OPTIONS>,
  { chosen: { answer }, memory }: MachineFacts,
  { onNote }: CommandContext,
): Promise<Finding[]> {
  const { examineConfig, examineData, examineModel } = await import('../../doctor/subjects.js');
  const place = { memory, engine: answer.outcome === 'works' ? answer.info.name : null };
  const examiners = [
    [model, (path: string) => examineModel(path, place)],
    [config, (path: string) => examineConfig(path, place)],
    [data, examineData],
  ] as const;
  const findings: Finding[] = [];
  for (const [path, examine] of examiners) {
    if (path === undefined) continue;
    onNote(`reading ${path} ...`);
    findings.push(...(await examine(path)));
  }
  return findings;
}

function show(findings: readonly Finding[], output: Output): void {
  const { green, yellow, red, bold, dim } = output.colors;
  const paint = { ok: green, note: yellow, problem: red };
  const width = Math.max(...findings.map(({ subject }) => subject.length));
  for (const { subject, state, found, fix } of findings) {
    output.line(`${paint[state](state.padEnd(7))}  ${bold(subject.padEnd(width))}  ${found}`);
    if (fix !== null) output.line(`${' '.repeat(9 + width)}  ${dim('→')} ${fix}`);
  }
  const problems = findings.filter(({ state }) => state === 'problem').length;
  output.line();
  output.line(problems === 0 ? 'Nothing that was asked for is missing.' : `${problems} to fix: see "problem" above.`);
}
