/** What facts about a machine come to: every state of every subject, from facts written down by hand. */
import { describe, expect, test } from '@jest/globals';
import type { MachineFacts } from '../../src/doctor/facts.js';
import { type Finding, diagnose } from '../../src/doctor/findings.js';
import type { EngineName } from '../../src/engine/engine.js';
import type { EngineAnswer, WorkingEngine } from '../../src/setup/engine-answer.js';

const GIBIBYTE = 2 ** 30;

function works(name: EngineName, info: Partial<WorkingEngine['info']> = {}): WorkingEngine {
  return {
    outcome: 'works',
    info: { name, threads: 2, device: 'A processor', blas: null, notice: null, ...info },
    gigaflops: 123.4,
  };
}

const refused = (why: string): EngineAnswer => ({ outcome: 'refused', why });
const broken = (why: string): EngineAnswer => ({ outcome: 'broken', why });

const INSTALLATION = {
  version: 1,
  package: '@tensorflow/tfjs-node',
  packageVersion: '4.22.0',
  tensorflow: '2.21.0',
  gpu: false,
  source: 'tensorflow-cpu==2.21.0',
  folder: '/somewhere',
};

/** A machine on which everything is well, without a graphics card. */
const FINE: MachineFacts = {
  node: { version: '20.19.5', needed: '20.19', platform: 'linux', arch: 'x64' },
  processor: { model: 'A processor', cores: 8, limit: null },
  memory: { total: 32 * GIBIBYTE, available: 20 * GIBIBYTE, containerLimit: null },
  disk: { folder: '/here', free: 100 * GIBIBYTE },
  graphics: { mayBeThere: false, isReal: false, nvidiaDriver: null },
  tensorflow: INSTALLATION,
  engines: {
    tensorflow: works('tensorflow', { blas: 'TensorFlow 2.21.0' }),
    webgpu: refused('Starting the engine webgpu: looking for a graphics adapter failed: there is none.'),
    openblas: works('openblas', { blas: 'OpenBLAS 0.3.21 (SkylakeX)' }),
    wasm: works('wasm', { threads: 1 }),
    cpu: works('cpu', { threads: 1 }),
  },
  chosen: { request: { engine: 'auto' }, answer: works('tensorflow') },
  isThorough: true,
  settings: [],
};

function findingOf(subject: string, change: Partial<MachineFacts>): Finding {
  const found = diagnose({ ...FINE, ...change }).filter((finding) => finding.subject === subject);
  expect(found).toHaveLength(1);
  return found[0] as Finding;
}

const engines = (change: Partial<MachineFacts['engines']>): Partial<MachineFacts> => ({
  engines: { ...FINE.engines, ...change },
});

test('on a machine where all is well nothing is a problem, and speeds are told', () => {
  const findings = diagnose(FINE);
  expect(findings.filter(({ state }) => state === 'problem')).toEqual([]);
  expect(findings.filter(({ state }) => state === 'note')).toEqual([
    { subject: 'engine webgpu', state: 'note', found: 'no graphics card is here', fix: null },
  ]);
  expect(findingOf('engine openblas', {}).found).toBe(
    '2 threads, OpenBLAS 0.3.21 (SkylakeX), A processor: 123 GFLOP/s',
  );
});

test.each([
  ['18.20.0', 'problem'],
  ['20.18.9', 'problem'],
  ['20.19.0', 'ok'],
  ['22.1.0', 'ok'],
])('Node %s is %s', (version, state) => {
  expect(findingOf('Node', { node: { ...FINE.node, version } }).state).toBe(state);
});

test('a container that gets less than the cores: its share as --threads', () => {
  const { state, fix } = findingOf('processor', { processor: { ...FINE.processor, limit: 2.5 } });
  expect([state, fix]).toEqual(['note', '--threads 2']);
});

test('little memory and little disk are notes', () => {
  const memory = { total: 4 * GIBIBYTE, available: GIBIBYTE, containerLimit: 3 * GIBIBYTE };
  expect(findingOf('memory', { memory })).toMatchObject({
    state: 'note',
    found: expect.stringMatching(/^4.0 GiB .*3.0 GiB.*1.0 GiB/),
  });
  expect(findingOf('disk', { disk: { folder: '/here', free: 1000 } }).state).toBe('note');
});

describe('engine tensorflow', () => {
  const subject = 'engine tensorflow';
  const nvidia = { graphics: { mayBeThere: true, isReal: false, nvidiaDriver: '550.54' } };

  test('not set up: the command, with --gpu where there is an NVIDIA card', () => {
    expect(findingOf(subject, { tensorflow: null })).toMatchObject({
      state: 'note',
      fix: 'node bin/gsva.js setup tensorflow',
    });
    expect(findingOf(subject, { tensorflow: null, ...nvidia })).toMatchObject({
      state: 'note',
      found: expect.stringMatching(/550\.54/),
      fix: 'node bin/gsva.js setup tensorflow --gpu',
    });
  });

  test('set up and broken, or unreadable: a problem, with its reason', () => {
    const change = engines({ tensorflow: broken('it computes wrongly') });
    expect(findingOf(subject, change)).toMatchObject({ state: 'problem', found: 'it computes wrongly' });
    expect(findingOf(subject, { tensorflow: 'the note is damaged' })).toMatchObject({
      state: 'problem',
      found: 'the note is damaged',
    });
  });

  test('for the CPU beside an NVIDIA card, or for a card that it does not find: a note', () => {
    expect(findingOf(subject, nvidia)).toMatchObject({
      state: 'note',
      fix: 'node bin/gsva.js setup tensorflow --gpu',
    });
    const change = {
      tensorflow: { ...INSTALLATION, gpu: true },
      ...engines({ tensorflow: works('tensorflow', { notice: 'No CUDA GPU was found.' }) }),
    };
    expect(findingOf(subject, change)).toMatchObject({
      state: 'note',
      found: expect.stringMatching(/No CUDA GPU/),
    });
  });
});

describe('engine webgpu', () => {
  const subject = 'engine webgpu';
  const real = { graphics: { mayBeThere: true, isReal: true, nvidiaDriver: null } };

  test('a real card is well, one that the processor plays is a note', () => {
    expect(findingOf(subject, engines({ webgpu: works('webgpu', { device: 'nvidia hopper' }) })).state).toBe('ok');
    expect(findingOf(subject, engines({ webgpu: works('webgpu', { device: 'google swiftshader' }) })).state).toBe(
      'note',
    );
  });

  test('a card that does not work is a problem', () => {
    const change = { ...real, ...engines({ webgpu: broken('it crashed') }) };
    expect(findingOf(subject, change)).toMatchObject({ state: 'problem', found: 'it crashed' });
  });
});

test('no BLAS library is a note, one that is named and cannot be loaded a problem', () => {
  const change = engines({ openblas: refused('Starting the engine openblas: no BLAS library was found.') });
  expect(findingOf('engine openblas', change)).toMatchObject({
    state: 'note',
    found: 'no BLAS library was found.',
    fix: expect.stringMatching(/libopenblas0/),
  });
  const named = { ...change, settings: [{ name: 'GSVA_BLAS', value: '/x.so' }] };
  expect(findingOf('engine openblas', named)).toMatchObject({ state: 'problem', fix: 'unset GSVA_BLAS' });
});

test('WASM that does not work is a problem', () => {
  expect(findingOf('engine wasm', engines({ wasm: broken('no luck') })).state).toBe('problem');
});

test('a setting of ours that does not exist is told, with what may have been meant', () => {
  const found = findingOf('environment', { settings: [{ name: 'GSVA_ENGIN', value: 'wasm' }] });
  expect(found).toMatchObject({
    state: 'note',
    found: expect.stringMatching(/GSVA_ENGINE/),
    fix: 'unset GSVA_ENGIN',
  });
});

describe('what a command would start', () => {
  test('auto: what it takes, and why not the faster ones', () => {
    const change = {
      tensorflow: null,
      ...engines({ openblas: refused('no BLAS') }),
      chosen: { request: { engine: 'auto' } as const, answer: works('wasm') },
    };
    const { state, found } = findingOf('auto', change);
    expect(state).toBe('ok');
    expect(found).toMatch(/takes wasm.*no graphics card.*tensorflow is not set up.*no BLAS library/);
  });

  test('auto on a GPU says nothing of the CPU', () => {
    const chosen = { request: { engine: 'auto' } as const, answer: works('webgpu', { threads: 0 }) };
    expect(findingOf('auto', { chosen }).found).not.toMatch(/\(/);
  });

  test('what was asked for and is not there is a problem', () => {
    const chosen = { request: { engine: 'tensorflow', device: 'gpu:1' } as const, answer: refused('no such GPU') };
    expect(findingOf('tensorflow on gpu:1', { chosen })).toMatchObject({ state: 'problem', found: 'no such GPU' });
  });
});

test('an engine that was not waited for is no problem; doctor --all waits', () => {
  const late = { outcome: 'unanswered', why: 'no answer within 4 s' } as const;
  const engines = { ...FINE.engines, webgpu: late };
  const chosen = { request: { engine: 'auto' }, answer: late } as const;
  for (const subject of ['engine webgpu', 'auto']) {
    expect(findingOf(subject, { engines, chosen })).toMatchObject({
      state: 'note',
      found: 'no answer within 4 s',
      fix: expect.stringContaining('doctor --all'),
    });
  }
});
