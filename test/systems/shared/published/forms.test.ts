/** The recorded published files in the forms that today's libraries give them: the same model, or a refusal by name. */
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { UserError } from '../../../../src/errors.js';
import type { ModelConfig } from '../../../../src/systems/shared/model-config.js';
import { checkModel, openModel, type OpenedModel, type PublishedSource } from '../../../../src/inference/open-model.js';
import { openCheckpoint } from '../../../../src/io/checkpoint-files.js';
import { named, type TensorOutput } from '../../../../src/io/tensor-output.js';
import { writeSafetensors } from '../../../../src/io/safetensors/safetensors-writer.js';
import { ownNames } from '../../../../src/systems/shared/published/names.js';
import { fixture } from '../../../helpers/fixtures.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-forms-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const recorded: PublishedSource & { readonly sam: string } = {
  mllm: fixture('checkpoints-tiny', 'llava'),
  visionTower: fixture('checkpoints-tiny', 'clip'),
  sam: fixture('checkpoints-tiny', 'sam_vit_tiny.pth'),
  weights: fixture('checkpoints-tiny', 'gsva-tiny-ft-gres.bin'),
  overrides: [['sam.decoder_heads', 4]],
};
const open = (other: Partial<PublishedSource>): Promise<OpenedModel<ModelConfig>> =>
  openModel<ModelConfig>({ ...recorded, ...other });
let original: OpenedModel;
beforeAll(async () => {
  original = await open({});
});

/** The tensors of a recorded part under other names; null leaves one out. */
function renamed(path: string, rename: (name: string) => string | null): TensorOutput[] {
  return [...openCheckpoint(path).tensors].flatMap(([name, tensor]) => {
    const other = rename(name);
    return other === null ? [] : [named(other, tensor)];
  });
}

function folder(): string {
  return mkdtempSync(join(scratch, 'case-'));
}

function weightsFile(rename: (name: string) => string | null, name = 'weights.safetensors'): string {
  const path = join(folder(), name);
  writeSafetensors(path, renamed(recorded.weights ?? '', rename));
  return path;
}

/** The recorded LLaVA with changes to its config.json and its tensors' names. */
function llava(
  config: Readonly<Record<string, unknown>>,
  rename: (name: string) => string | null = (name) => name,
): string {
  const dir = folder();
  for (const file of ['tokenizer.model', 'tokenizer_config.json', 'special_tokens_map.json']) {
    copyFileSync(join(recorded.mllm, file), join(dir, file));
  }
  const before = JSON.parse(readFileSync(join(recorded.mllm, 'config.json'), 'utf8')) as object;
  writeFileSync(join(dir, 'config.json'), JSON.stringify({ ...before, ...config }));
  writeSafetensors(join(dir, 'model.safetensors'), renamed(recorded.mllm, rename));
  return dir;
}

/** Names, shapes and numbers of every tensor, and the sizes. */
function expectOriginal({ tensors, config }: OpenedModel): void {
  expect(config).toEqual(original.config);
  expect([...tensors.keys()].sort()).toEqual([...original.tensors.keys()].sort());
  for (const [name, tensor] of tensors)
    expect([name, tensor.read()]).toEqual([name, original.tensors.get(name)?.read()]);
}

describe('names', () => {
  test.each<[string, (name: string) => string]>([
    ['of a compiled model', (name) => `_orig_mod.${name}`],
    ['of a model whose blocks are compiled', (name) => name.replace('model.layers.', 'model._orig_mod.layers.')],
    ['under FSDP', (name) => name.replace(/layers\.(\d+)\./, 'layers.$1._fsdp_wrapped_module.')],
    ['under DeepSpeed and DataParallel', (name) => `module.module.${name}`],
    ['of Lightning', (name) => `model.${name}`],
    ['without peft', (name) => name.replace('base_model.model.', '')],
    ['of an adapter with a name', (name) => name.replace('.default.', '.gsva.')],
    ['of live modules_to_save', (name) => name.replace('lm_head.', 'lm_head.modules_to_save.default.')],
  ])('%s: the same model', async (_, rename) => {
    expectOriginal(await open({ weights: weightsFile(rename) }));
  });

  test('SAM wrapped by another program', async () => {
    const path = join(folder(), 'sam.safetensors');
    writeSafetensors(
      path,
      renamed(recorded.sam, (name) => `net.sam.${name}`),
    );
    expectOriginal(await open({ sam: path }));
  });

  test("SAM in transformers' names: MLPs begin with proj_in and end with proj_out", () => {
    const names = ['proj_in', 'layers.0', 'layers.1', 'proj_out'].map(
      (layer) => `mask_decoder.iou_prediction_head.${layer}.weight`,
    );
    const own = ownNames('sam', ['vision_encoder.layers.3.layer_norm1.bias', ...names]);
    const prefix = 'model.visual_model.';
    expect([...own.values()].map((found) => ('name' in found ? found.name.slice(prefix.length) : found))).toEqual([
      'image_encoder.blocks.3.norm1.bias',
      ...[0, 1, 2, 3].map((layer) => `mask_decoder.iou_prediction_head.layers.${layer}.weight`),
    ]);
  });

  test.each([
    ['before transformers 4.52', 'language_model.model.', 'language_model.lm_head.', ''],
    ['since', 'model.language_model.', 'lm_head.', 'model.'],
  ])("LLaVA in transformers' names %s", (_, body, head, first) => {
    const own = ownNames('mllm', [
      `${body}layers.0.mlp.up_proj.weight`,
      `${head}weight`,
      `${first}multi_modal_projector.linear_2.bias`,
      `${first}vision_tower.encoder.layers.0.mlp.fc1.bias`,
    ]);
    expect([...own.values()]).toEqual([
      { name: 'model.layers.0.mlp.up_proj.weight' },
      { name: 'lm_head.weight' },
      { name: 'model.mm_projector.2.bias' },
      { unused: expect.any(String) as unknown },
    ]);
  });
});

describe('config.json', () => {
  test('rope_parameters of transformers 5, embeddings that are tied', async () => {
    const rope = { rope_theta: undefined, rope_parameters: { rope_theta: 500000, rope_type: 'default' } };
    expect((await open({ mllm: llava(rope) })).config.llm.ropeTheta).toBe(500000);
    const tied = await open({
      mllm: llava({ tie_word_embeddings: true }, (name) => (name === 'lm_head.weight' ? null : name)),
      weights: null,
    });
    const [head, embedding] = ['lm_head.weight', 'model.embed_tokens.weight'].map((name) =>
      tied.tensors.get(name)?.read(),
    );
    expect(head).toEqual(embedding);
  });

  test.each<[object, RegExp]>([
    [{ rope_parameters: { rope_type: 'linear', factor: 4 } }, /"rope_parameters\.rope_type" is "linear"/],
    [{ rope_parameters: { rope_theta: 500000 } }, /"rope_parameters\.rope_theta" is 500000, expected 10000/],
    [{ rope_scaling: { factor: 4 } }, /"rope_scaling\.factor"/],
    [{ head_dim: 16 }, /"head_dim" is 16, expected 12/],
    [{ attention_bias: true }, /"attention_bias" is true/],
    [{ model_type: 'llava_mistral' }, /"model_type" is "llava_mistral"/],
    [{ mm_vision_select_feature: 'cls_patch' }, /"mm_vision_select_feature"/],
    [{ quantization_config: { quant_method: 'gptq', bits: 4 } }, /quantised by gptq \(4 bits\)/],
    [{ tie_word_embeddings: true }, /tie_word_embeddings, but "lm_head\.weight" and .* differ/],
  ])('%j is refused by its name', async (config, message) => {
    const path = llava(config as Record<string, unknown>);
    await expect(open({ mllm: path })).rejects.toThrow(message);
    await expect(open({ mllm: path })).rejects.toThrow(UserError);
  });

  test('LLaMA without a projector is no LLaVA', async () => {
    const path = llava({}, (name) => (name.includes('mm_projector') ? null : name));
    await expect(open({ mllm: path })).rejects.toThrow(/no mm_projector: this is LLaMA or Vicuna, not LLaVA/);
  });
});

describe('adapter_config.json', () => {
  const adapter = (config: object): string => {
    const path = weightsFile((name) => name.replace('.default.', '.'), 'adapter_model.safetensors');
    const facts = { peft_type: 'LORA', r: 4, lora_alpha: 16, lora_dropout: 0.05, ...config };
    writeFileSync(join(path, '..', 'adapter_config.json'), JSON.stringify(facts));
    return join(path, '..');
  };

  test("alpha is the adapter's own; rsLoRA's factor is alpha by the root of the rank", async () => {
    expectOriginal(await open({ weights: adapter({}) }));
    expect((await open({ weights: adapter({ lora_alpha: 32 }) })).config.lora.alpha).toBe(32);
    expect((await open({ weights: adapter({ use_rslora: true }) })).config.lora.alpha).toBe(32);
  });

  test.each<[object, RegExp]>([
    [{ use_dora: true }, /"use_dora" is true/],
    [{ rank_pattern: { q_proj: 8 } }, /"rank_pattern"/],
    [{ init_lora_weights: 'pissa' }, /"init_lora_weights" is "pissa"/],
    [{ peft_type: 'IA3' }, /"peft_type" is "IA3"/],
    [{ r: 8 }, /"r" is 8, but .* is of rank 4/],
  ])('%j is refused by its name', async (config, message) => {
    await expect(open({ weights: adapter(config) })).rejects.toThrow(message);
  });
});

describe('files that are something else', () => {
  test('a file of another part, a LoRA of LLaVA alone: what was found is named', async () => {
    await expect(open({ sam: recorded.weights ?? '' })).rejects.toThrow(
      /named as --sam, has no image_encoder\.pos_embed \(it has "/,
    );
    const lora = weightsFile((name) => (name.includes('.lora_') ? name : null));
    await expect(open({ weights: lora })).rejects.toThrow(/LoRA of LLaVA or LLaMA without its base/);
  });

  test('tensors without elements are parts of DeepSpeed ZeRO-3', async () => {
    const path = join(folder(), 'part.safetensors');
    const empty = { dtype: 'F32', shape: [0], read: () => new Float32Array(0) } as const;
    writeSafetensors(path, [named('model.layers.0.self_attn.q_proj.lora_A.default.weight', empty)]);
    await expect(open({ weights: path })).rejects.toThrow(/1 of 1 tensors are empty .* ZeRO-3.*zero_to_fp32/s);
  });

  test('a folder of DeepSpeed names the file, or the step before', () => {
    const dir = folder();
    cpSync(recorded.weights ?? '', join(dir, 'global_step5', 'mp_rank_00_model_states.pt'), { recursive: true });
    writeFileSync(join(dir, 'latest'), 'global_step5');
    expect(() => openCheckpoint(dir)).toThrow(/name the file of the weights: .*mp_rank_00_model_states\.pt/);
    rmSync(join(dir, 'global_step5', 'mp_rank_00_model_states.pt'));
    writeFileSync(join(dir, 'global_step5', 'zero_pp_rank_0_mp_rank_00_model_states.pt'), '');
    expect(() => openCheckpoint(dir)).toThrow(/ZeRO 3, 1 parts .* python .*zero_to_fp32\.py/);
  });

  test.each([
    ['model.safetensors', 'a Git-LFS pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n'],
    ['model.safetensors', 'a web page', '<!doctype html><html>'],
    ['model.safetensors', 'an answer', '{"error": "Repository not found"}'],
    ['config.json', 'an answer', '{"error": "Repository not found"}'],
    ['config.json', 'a Git-LFS pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n'],
    ['tokenizer.model', 'a Git-LFS pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n'],
    ['tokenizer_config.json', 'a Git-LFS pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n'],
  ])('%s that is %s', async (file, _what, content) => {
    const dir = llava({});
    writeFileSync(join(dir, file), content);
    await expect(open({ mllm: dir })).rejects.toThrow(/Git-LFS pointer|web page|error message of a server/);
    await expect(open({ mllm: dir })).rejects.toThrow(file);
  });
});

describe('the file that is blamed', () => {
  const check = async (other: Partial<PublishedSource>): Promise<unknown> =>
    open(other)
      .then(checkModel)
      .catch((error: unknown) => error);

  test('is the one that lacks the tensor or has it in another shape, not the last one that was named', async () => {
    const sam = join(folder(), 'sam.safetensors');
    writeSafetensors(
      sam,
      renamed(recorded.sam, (name) => (name.endsWith('neck.3.bias') ? null : name)),
    );
    expect(await check({ sam })).toMatchObject({
      message: expect.stringMatching(`^${sam} lacks ".*neck\\.3\\.bias"`) as unknown,
    });
    const mllm = llava({ intermediate_size: 84 });
    expect(await check({ mllm })).toMatchObject({
      message: expect.stringMatching(`^${mllm}/model\\.safetensors: tensor ".*" has shape`) as unknown,
    });
    const weights = weightsFile((name) => (name.includes('layers.1.self_attn.q_proj.lora_A') ? null : name));
    expect(await check({ weights })).toMatchObject({
      message: expect.stringMatching(`^${weights} lacks ".*lora_A`) as unknown,
    });
  });
});
