/** The work behind `gsva doctor`. */
import { type MachineFacts, gatherFacts } from '../doctor/facts.js';
import { type Finding, diagnose } from '../doctor/findings.js';
import { examineConfig, examineData, examineModel } from '../doctor/subjects.js';
import { parseDevice } from '../engine/device.js';
import { UsageError } from '../errors.js';
import { type EngineRequest, askEngine } from '../setup/engine-answer.js';
import { runCommand } from '../setup/run-command.js';
import { packagePath } from '../program.js';
import type { GlobalArguments } from './options.js';
import { ENGINES } from './options.js';
import { oneOf } from './values.js';
import type { VerbContext } from './verb.js';

const BRIEF = 'Speeds are estimates, and no engine was waited for long; --all measures and waits.';

export interface DoctorRequest extends Pick<GlobalArguments, 'engine' | 'device' | 'threads'> {
  /** Whether everything is waited for. */
  readonly all: boolean;
  readonly model?: string | undefined;
  readonly config?: string | undefined;
  readonly data?: string | undefined;
}

/** @returns the exit code: 1 where something is a problem */
export async function runDoctor(request: DoctorRequest, context: VerbContext): Promise<number> {
  const facts = await gatherFacts({
    request: requestedEngine(request),
    isThorough: request.all,
    ask: (engine, seconds) => {
      // Which engine and device is said in the question; the environment's are for `chosen` only.
      const env = { GSVA_ENGINE: '', GSVA_DEVICE: '' };
      const program = packagePath('dist', 'setup', 'check-engine.js');
      const limit = seconds === null ? {} : { timeout: seconds };
      return askEngine(engine, program, runCommand, { env, signal: context.signal, ...limit });
    },
    packageFile: packagePath('package.json'),
    folder: process.cwd(),
    env: process.env,
    note: (line) => {
      context.note(line);
    },
  });
  const findings = [...diagnose(facts), ...(await examineFiles(request, facts, context))];
  show(findings, context);
  if (!request.all) context.output.line(BRIEF);
  const isFine = findings.every(({ state }) => state !== 'problem');
  context.output.json({ pass: isFine, findings, facts });
  return isFine ? 0 : 1;
}

/** What the options, else the environment ask for. @throws UsageError for an engine or device that is none */
function requestedEngine({ engine, device, threads }: DoctorRequest): EngineRequest {
  const named = process.env.GSVA_ENGINE ?? '';
  const asked = device ?? process.env.GSVA_DEVICE ?? '';
  parseDevice(asked);
  return { engine: engine ?? (named === '' ? 'auto' : engineOfEnvironment(named)), device: asked, threads };
}

function engineOfEnvironment(named: string): (typeof ENGINES)[number] {
  try {
    return oneOf('engine', ENGINES)(named);
  } catch {
    throw new UsageError(`GSVA_ENGINE must be one of ${ENGINES.join(', ')}, not "${named}"`);
  }
}

async function examineFiles(request: DoctorRequest, facts: MachineFacts, context: VerbContext): Promise<Finding[]> {
  const { model, config, data } = request;
  const { answer } = facts.chosen;
  const place = { memory: facts.memory, engine: answer.outcome === 'works' ? answer.info.name : null };
  const findings: Finding[] = [];
  if (model !== undefined) {
    context.note(`reading ${model} ...`);
    findings.push(...(await examineModel(model, place)));
  }
  if (config !== undefined) {
    context.note(`reading ${config} ...`);
    findings.push(...(await examineConfig(config, place)));
  }
  if (data !== undefined) {
    context.note(`reading ${data} ...`);
    findings.push(...examineData(data));
  }
  return findings;
}

function show(findings: readonly Finding[], { output }: VerbContext): void {
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
