/** Where a checkpoint has its tensors, and what of a pickle is kept without being known. */
import { describe, expect, test } from '@jest/globals';
import { UserError } from '../../src/errors.js';
import { PickleOpaque, type PickleValue, unpickle } from '../../src/io/torch/pickle.js';
import { harmlessGlobal } from '../../src/io/torch/pickle-harmless.js';
import { call, dict, global, list, pickle, tuple } from '../../src/io/torch/pickle-writer.js';
import { findStateDict, type StateDict } from '../../src/io/state-dict.js';
import { TORCH_GLOBALS, TorchStorage, TorchTensor } from '../../src/io/torch/torch-tensors.js';

const storage = new TorchStorage('0', 'F32', 0, 4);
const tensor = (): TorchTensor => new TorchTensor(storage, 'F32', [1], [1], 0);
const weights = (...names: string[]): Map<PickleValue, PickleValue> => new Map(names.map((name) => [name, tensor()]));
const fail = (what: string): never => {
  throw new UserError(what);
};
const find = (...entries: readonly (readonly [string, PickleValue])[]): StateDict =>
  findStateDict(new Map(entries), fail);

describe('the dict of tensors', () => {
  test.each(['state_dict', 'module', 'model', 'model_state_dict', 'net', 'generator'])('under "%s"', (key) => {
    const found = find(['epoch', 3], [key, weights('a', 'b')]);
    expect([found.wrapper, found.entries.map(([name]) => name)]).toEqual([key, ['a', 'b']]);
    expect([...found.others]).toEqual([['epoch', 3]]);
  });

  test('two levels down, in a class of its own, beside single tensors, and beside the states of an optimizer', () => {
    expect(find(['model', new Map([['ema', weights('a')]])]).wrapper).toBe('model.ema');
    expect(find(['model', new PickleOpaque('x.AttributeDict', weights('a'))]).wrapper).toBe('model');
    expect(find(['step', tensor()], ['model', weights('a', 'b')]).wrapper).toBe('model');
    expect(find(['optimizer', weights('a', 'b', 'c')], ['model', weights('a')]).wrapper).toBe('model');
  });

  test('of two, the one with most tensors; of equal ones none is guessed, but an average of the weights is no rival', () => {
    expect(find(['model', weights('a')], ['state_dict', weights('a', 'b')]).wrapper).toBe('state_dict');
    expect(find(['state_dict_ema', weights('a')], ['state_dict', weights('a')]).wrapper).toBe('state_dict');
    expect(() => find(['student', weights('a')], ['teacher', weights('b')])).toThrow(
      'several dicts of 1 tensors each, "student" and "teacher", and either could be meant',
    );
    const same = weights('a');
    expect(find(['student', same], ['teacher', same]).wrapper).toBe('student');
  });

  test('dicts that contain themselves end', () => {
    const loop = new Map<PickleValue, PickleValue>([['w', tensor()]]);
    loop.set('self', loop);
    expect(find(['model', loop]).entries).toHaveLength(1);
  });

  test('without any, what is there is named', () => {
    expect(() => find(['lr', 0.1], ['epoch', 3])).toThrow('no dict of tensors (its keys are lr, epoch)');
    expect(() => find(['optimizer_state_dict', new Map()], ['ds_version', '0.14'])).toThrow(
      /DeepSpeed's states of an optimizer.*ds_version/,
    );
    expect(() => find(['state', new Map()], ['param_groups', []])).toThrow('it is the state of an optimizer');
  });
});

describe('names in a pickle', () => {
  const read = (value: Parameters<typeof pickle>[0]): PickleValue => {
    return unpickle(pickle(value), { source: 'a test', globals: TORCH_GLOBALS, unlisted: harmlessGlobal }).value;
  };

  test.each([
    ['collections', 'Counter'],
    ['torch', 'device'],
    ['argparse', 'Namespace'],
    ['pathlib', 'PosixPath'],
    ['numpy._core.multiarray', 'scalar'],
    ['torch.optim.lr_scheduler', 'MultiStepLR'],
    ['transformers.training_args', 'TrainingArguments'],
    ['deepspeed.runtime.zero.config', 'ZeroStageEnum'],
    ['__main__', 'Config'],
  ])('%s.%s is kept as an opaque value', (module, name) => {
    const value = read(dict({ kept: call(global(module, name), ['cpu']) })) as Map<PickleValue, PickleValue>;
    expect(value.get('kept')).toMatchObject({ name: `${module}.${name}` });
    expect(value.get('kept')).toBeInstanceOf(PickleOpaque);
  });

  test.each([
    ['os', 'system'],
    ['posix', 'system'],
    ['subprocess', 'Popen'],
    ['builtins', 'eval'],
    ['builtins', 'getattr'],
    ['importlib', 'import_module'],
    ['socket', 'SocketType'],
    ['multiprocessing.util', 'Finalize'],
    ['numpy.testing._private.utils', 'runstring'],
    ['torch.hub', 'load'],
    ['functools', 'partial'],
  ])('%s.%s is refused', (module, name) => {
    expect(() => read(list([call(global(module, name), ['x'])]))).toThrow(`refuses ${module}.${name}`);
  });

  test('a tensor of a class whose numbers mean something else is refused by that name', () => {
    const args = [
      global('torch._utils', '_rebuild_tensor_v2'),
      global('torchao.dtypes', 'AffineQuantizedTensor'),
      tuple(),
    ];
    expect(() => read(call(global('torch._tensor', '_rebuild_from_type_v2'), args))).toThrow(
      'torchao.dtypes.AffineQuantizedTensor, whose numbers mean something else',
    );
  });
});
