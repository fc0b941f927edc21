/**
 * The dict of tensors in a checkpoint: the object itself, or a dict at one of its keys (`state_dict`, `model`, `net`,
 * `model_state_dict`, two levels down). Of several, the one with most tensors; of equal ones none is guessed.
 */
import { PickleOpaque, type PickleValue, describePickled } from './torch/pickle.js';
import { TorchTensor } from './torch/torch-tensors.js';
import type { Fail } from './safetensors/safetensors-header.js';

type Dict = ReadonlyMap<PickleValue, PickleValue>;

export interface StateDict {
  readonly entries: readonly (readonly [string, TorchTensor])[];
  /** Entries other than tensors, as unpickled; those of a wrapped dict are named 'wrapper.name'. */
  readonly others: Map<string, unknown>;
  /** Key of the dict, 'state_dict', 'ema.model'; null where it is the object itself. */
  readonly wrapper: string | null;
}

interface Candidate {
  readonly path: readonly string[];
  readonly dict: Dict;
  readonly tensors: number;
}

/** Depth of dicts up to which weights are sought. */
const DEEPEST = 3;
/** States of an optimizer are dicts of tensors too. */
const NO_WEIGHTS = /optim|sched|scaler|rng|callback|^grads?$/i;
/** An average of the weights next to the weights themselves: it has to be named. */
const AVERAGE = /ema|average|shadow|swa/i;
const DEEPSPEED_OPTIMIZER =
  "it is DeepSpeed's states of an optimizer, one process's part of them, and holds no weights: those are in " +
  'mp_rank_00_model_states.pt next to it (ZeRO 1 and 2), or come of python zero_to_fp32.py FOLDER OUT (ZeRO 3), which lies above it';

/** @throws by `fail`, which names the present keys */
export function findStateDict(value: PickleValue, fail: Fail): StateDict {
  const root = asDict(value);
  if (root === null) {
    const advice = value instanceof PickleOpaque ? '; load it in Python and save its state_dict() with torch.save' : '';
    return fail(`it holds ${describePickled(value)}, expected a dict of tensors (state_dict)${advice}`);
  }
  const candidates = candidatesIn(root, [], new Set()).sort(
    (a, b) => b.tensors - a.tensors || a.path.length - b.path.length,
  );
  const best = candidates[0];
  if (best === undefined) {
    if (root.size === 0) return { entries: [], others: new Map(), wrapper: null };
    return fail(whyNone(root));
  }
  const rivals = candidates.filter(({ tensors, path }) => tensors === best.tensors && path.length > 0);
  const chosen = best.path.length === 0 ? best : chooseOf(rivals, fail);
  return split(root, chosen, fail);
}

function chooseOf(rivals: readonly Candidate[], fail: Fail): Candidate {
  const plain = rivals.filter(({ path }) => !path.some((key) => AVERAGE.test(key)));
  const [first, second] = plain.length > 0 ? plain : rivals;
  if (first === undefined) return fail('it has no tensors');
  if (second === undefined) return first;
  const names = rivals.map(({ path }) => `"${path.join('.')}"`).join(' and ');
  return fail(
    `it has several dicts of ${first.tensors} tensors each, ${names}, and either could be meant; save the one to be read ` +
      'alone with torch.save',
  );
}

/** @param seen dicts already examined: one may contain itself, or occur at two keys */
function candidatesIn(dict: Dict, path: readonly string[], seen: Set<Dict>): Candidate[] {
  const found: Candidate[] = [];
  seen.add(dict);
  let tensors = 0;
  for (const [key, value] of dict) {
    if (value instanceof TorchTensor) tensors++;
    if (typeof key !== 'string') continue;
    const inner = path.length < DEEPEST && !NO_WEIGHTS.test(key) ? asDict(value) : null;
    if (inner !== null && !seen.has(inner)) found.push(...candidatesIn(inner, [...path, key], seen));
  }
  return tensors === 0 ? found : [{ path, dict, tensors }, ...found];
}

function asDict(value: PickleValue | undefined): Dict | null {
  if (value instanceof PickleOpaque) return value.items.size > 0 ? value.items : null;
  return value instanceof Map ? value : null;
}

function split(root: Dict, { path, dict }: Candidate, fail: Fail): StateDict {
  const wrapper = path.length === 0 ? null : path.join('.');
  const entries: [string, TorchTensor][] = [];
  const beside = wrapper === null ? [] : [...root].filter(([key]) => key !== path[0]);
  const others = new Map<string, unknown>(beside.map(([key, entry]) => [keyText(key), entry]));
  for (const [key, entry] of dict) {
    if (!(entry instanceof TorchTensor)) {
      others.set(wrapper === null ? keyText(key) : `${wrapper}.${keyText(key)}`, entry);
    } else if (typeof key === 'string') entries.push([key, entry]);
    else fail(`its dict of tensors has ${describePickled(key)} as a key, expected a text`);
  }
  return { entries, others, wrapper };
}

function keyText(key: PickleValue): string {
  return typeof key === 'string' || typeof key === 'number' ? String(key) : describePickled(key);
}

function whyNone(root: Dict): string {
  const keys = [...root.keys()].slice(0, 8).map(keyText);
  const has = `its keys are ${keys.join(', ')}${root.size > keys.length ? ` and ${root.size - keys.length} more` : ''}`;
  if (root.has('optimizer_state_dict') && (root.has('ds_version') || root.has('ds_config'))) {
    return `${DEEPSPEED_OPTIMIZER} (${has})`;
  }
  if (root.has('param_groups') && root.has('state')) {
    return `it is the state of an optimizer, not weights (${has}); name the file of the model`;
  }
  return `it has no dict of tensors (${has}); name the file of the model, or save its state_dict with torch.save`;
}
