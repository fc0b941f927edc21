/** Findings about a machine for its user: what works, what is worth knowing, what has to be fixed, how. */
import { describeEngine, type EngineName } from '../engine/engine.js';
import { bytesText } from '../machine.js';
import { didYouMean } from '../nearest-name.js';
import type { WorkingEngine } from '../setup/engine-answer.js';
import { type MachineFacts, OWN_SETTINGS } from './facts.js';
import { gsvaCommand, reinstallCommand } from '../program.js';

export interface Finding {
  readonly subject: string;
  /** 'note': works, but could be better, or is not needed. 'problem': prevents what was asked for. */
  readonly state: 'ok' | 'note' | 'problem';
  readonly found: string;
  /** A command or an advice; null where nothing needs fixing. */
  readonly fix: string | null;
}

const GIBIBYTE = 2 ** 30;
/** The tiny model trains in less than this; below it the system itself may run out of memory. */
const LITTLE_MEMORY = 2 * GIBIBYTE;
const LITTLE_DISK = 2 * GIBIBYTE;
/** Software adapters. */
const PLAYED_CARD = /swiftshader|llvmpipe|lavapipe|software/i;

export function diagnose(facts: MachineFacts): Finding[] {
  return [
    nodeFinding(facts),
    processorFinding(facts),
    memoryFinding(facts),
    diskFinding(facts),
    ...ENGINES.map((engine) => engineFinding(engine, facts)),
    ...settingFindings(facts),
    chosenFinding(facts),
  ];
}

const ENGINES = ['tensorflow', 'webgpu', 'openblas', 'wasm', 'cpu'] as const satisfies readonly EngineName[];

function engineFinding(engine: EngineName, facts: MachineFacts): Finding {
  const answer = facts.engines[engine];
  const isUnknown = answer.outcome === 'unanswered' && !(engine === 'tensorflow' && facts.tensorflow === null);
  if (isUnknown) return note(`engine ${engine}`, answer.why, `${gsvaCommand('doctor --all')} (waits for it)`);
  if (engine === 'tensorflow') return tensorflowFinding(facts);
  if (engine === 'webgpu') return webgpuFinding(facts);
  return engine === 'openblas' ? openblasFinding(facts) : plainFinding(engine, facts);
}

function nodeFinding({ node }: MachineFacts): Finding {
  const { version, needed, platform, arch } = node;
  const found = `${version} on ${platform} ${arch}`;
  if (!isOlder(version, needed)) return ok('Node', found);
  return problem('Node', `${found}; ${needed} or newer is needed`, 'nvm install 20, or https://nodejs.org');
}

function isOlder(version: string, needed: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor = 0, leastMinor = 0] = needed.split('.').map(Number);
  return major < leastMajor || (major === leastMajor && minor < leastMinor);
}

function processorFinding({ processor }: MachineFacts): Finding {
  const { model, cores, limit } = processor;
  const found = `${model}, ${cores} core${cores === 1 ? '' : 's'}`;
  if (limit === null || limit >= cores) return ok('processor', found);
  const few = `this container gets the time of ${limit.toFixed(1)} only: more threads than that slow each other down`;
  return note('processor', `${found}, but ${few}`, `--threads ${Math.max(1, Math.floor(limit))}`);
}

function memoryFinding({ memory }: MachineFacts): Finding {
  const { total, available, containerLimit } = memory;
  const container = containerLimit === null ? '' : ` (this container may use ${bytesText(containerLimit)})`;
  const found = `${bytesText(total)}${container}, ${bytesText(available)} available`;
  if (available >= LITTLE_MEMORY) return ok('memory', found);
  const plan = `${gsvaCommand('plan --config FILE')} says what a model needs`;
  return note('memory', `${found}: little`, `end other programs; ${plan}`);
}

function diskFinding({ disk }: MachineFacts): Finding {
  if (disk.free === null) return note('disk', `how much is free in ${disk.folder} is not known`, null);
  const found = `${bytesText(disk.free)} free in ${disk.folder}`;
  return disk.free >= LITTLE_DISK ? ok('disk', found) : note('disk', `${found}: little`, 'make room');
}

function tensorflowFinding({ tensorflow, engines, graphics }: MachineFacts): Finding {
  const subject = 'engine tensorflow';
  const hasNvidia = graphics.nvidiaDriver !== null;
  const setup = gsvaCommand(hasNvidia ? 'setup tensorflow --gpu' : 'setup tensorflow');
  if (tensorflow === null) {
    const card = hasNvidia ? `, and an NVIDIA GPU (driver ${graphics.nvidiaDriver}) could be used` : '';
    return note(subject, `not set up${card}`, setup);
  }
  const answer = engines.tensorflow;
  if (typeof tensorflow === 'string') return problem(subject, tensorflow, setup);
  if (answer.outcome !== 'works') {
    const again = tensorflow.gpu ? gsvaCommand('setup tensorflow --gpu') : setup;
    return problem(subject, answer.why, `${again} (sets it up again)`);
  }
  const found = speed(answer);
  if (hasNvidia && !tensorflow.gpu) {
    return note(subject, `${found}; an NVIDIA GPU (driver ${graphics.nvidiaDriver}) is here and not used`, setup);
  }
  if (answer.info.notice === null) return ok(subject, found);
  return note(subject, `${found}; ${answer.info.notice}`, 'nvidia-smi shows whether the driver works');
}

function webgpuFinding({ engines, graphics }: MachineFacts): Finding {
  const subject = 'engine webgpu';
  const answer = engines.webgpu;
  if (answer.outcome === 'works') {
    if (!PLAYED_CARD.test(answer.info.device)) return ok(subject, speed(answer));
    return note(subject, `${speed(answer)}: the processor plays a graphics card, slowly; for trying only`, null);
  }
  if (!graphics.mayBeThere) return note(subject, 'no graphics card is here', null);
  const why = withoutStart(answer.why);
  return graphics.isReal ? problem(subject, why, "bring the card's driver up to date") : note(subject, why, null);
}

function openblasFinding({ engines, settings }: MachineFacts): Finding {
  const answer = engines.openblas;
  const install = 'apt-get install libopenblas0-pthread';
  if (answer.outcome === 'works') return ok('engine openblas', speed(answer));
  const isNamed = settings.some(({ name }) => name === 'GSVA_BLAS');
  if (isNamed) return problem('engine openblas', answer.why, 'unset GSVA_BLAS');
  if (answer.outcome === 'broken') return problem('engine openblas', answer.why, install);
  return note('engine openblas', withoutStart(answer.why), install);
}

/** Engines of npm's packages: only a broken installation keeps them from working. */
function plainFinding(engine: 'wasm' | 'cpu', { engines }: MachineFacts): Finding {
  const answer = engines[engine];
  if (answer.outcome === 'works') return ok(`engine ${engine}`, speed(answer));
  return problem(`engine ${engine}`, withoutStart(answer.why), reinstallCommand());
}

function settingFindings({ settings }: MachineFacts): Finding[] {
  return settings.map(({ name, value }) => {
    const isUnknown = name.startsWith('GSVA_') && !OWN_SETTINGS.some((known) => known === name);
    if (!isUnknown) return ok('environment', `${name}=${value}`);
    const why = `no setting has this name${didYouMean(name, OWN_SETTINGS)}`;
    return note('environment', `${name}=${value} does nothing: ${why}`, `unset ${name}`);
  });
}

function chosenFinding(facts: MachineFacts): Finding {
  const { request, answer } = facts.chosen;
  const device = (request.device ?? '') === '' ? '' : ` on ${request.device ?? ''}`;
  const subject = `${request.engine}${device}`;
  if (answer.outcome === 'unanswered') {
    return note(subject, answer.why, `${gsvaCommand('doctor --all')} (waits for it)`);
  }
  if (answer.outcome !== 'works') {
    return problem(subject, answer.why, '--engine and --device (or GSVA_ENGINE, GSVA_DEVICE) choose others');
  }
  if (request.engine !== 'auto') return ok(subject, describeEngine(answer.info));
  const passed = passedOver(answer.info.name, facts);
  return ok(subject, `takes ${describeEngine(answer.info)}${passed === '' ? '' : ` (${passed})`}`);
}

/** Why the faster ones are not taken. */
function passedOver(taken: EngineName, { engines, graphics, tensorflow }: MachineFacts): string {
  const reasons: readonly (readonly [EngineName, string])[] = [
    ['webgpu', graphics.isReal ? 'webgpu does not start' : 'no graphics card that webgpu could use'],
    ['tensorflow', tensorflow === null ? 'tensorflow is not set up' : 'tensorflow does not start'],
    ['openblas', engines.openblas.outcome === 'refused' ? 'no BLAS library' : 'openblas does not start'],
  ];
  const at = reasons.findIndex(([engine]) => engine === taken);
  return reasons
    .slice(0, at < 0 ? reasons.length : at)
    .map(([, reason]) => reason)
    .join('; ');
}

/** "2 threads, OpenBLAS 0.3.21 (SkylakeX), AMD EPYC: 237 GFLOP/s". */
function speed({ info, gigaflops }: WorkingEngine): string {
  const rate = gigaflops < 10 ? gigaflops.toFixed(1) : gigaflops.toFixed(0);
  return `${describeEngine(info).replace(`${info.name}: `, '')}: ${rate} GFLOP/s`;
}

/** Without the engine's name, which the subject has. */
function withoutStart(why: string): string {
  return why.replace(/^Starting the engine \w+: /, '');
}

export function ok(subject: string, found: string): Finding {
  return { subject, state: 'ok', found, fix: null };
}

const needing =
  (state: Finding['state']) =>
  (subject: string, found: string, fix: string | null): Finding => ({ subject, state, found, fix });
export const note = needing('note');
export const problem = needing('problem');
