#!/bin/sh
# transformers' Trainer sums the gradients of accumulated batches, in place of their mean, if forward takes **kwargs.
#
# Versions: transformers 4.57.1 and 5.24.0, accelerate 1.15.0, torch 2.9.1, from PyPI (Python 3.11).
# Guess before the run: one update from 8 batches of 1 has the gradient of one batch of 8 with the same 8 samples, for
#   every model (no dropout, no batch norm, equally many labels in each sample).
# Behaviour: a forward with **kwargs is taken to divide its loss by num_items_in_batch; the Trainer then does not divide
#   by the number of accumulated batches. Whoever does not look at that argument trains with the gradient, and logs the
#   loss, times that number. It hits models of one's own (a **kwargs for arguments one does not care for is enough) and
#   transformers' own: in both versions the heads for classes of tokens and sequences, and in 5.24 more, such as CLIPSeg
#   for masks. compute_loss's text warns of a loss "slightly inaccurate". `accepts_loss_kwargs = False` in the class
#   cures it. AdamW hides the factor, but for clipping (max_grad_norm is 1); SGD does not. (transformers issue 47688.)
# Output, norm of the gradient of 8 batches of 1 over that of 1 batch of 8:
#                                           4.57.1   5.24.0
#   own model, forward(x, labels)              1        1
#   own model, forward(x, labels, **kwargs)    8        8
#   the same, accepts_loss_kwargs = False      1        1
#   Qwen2ForCausalLM                           1        1
#   Qwen2ForTokenClassification                8        8
#   CLIPSegForImageSegmentation                1        8
#
# Nothing of this project is run; the models are small and drawn here. torch's wheel for Linux is that for CUDA: some
# 3 GB to fetch and 7 GB in the temporary folder, though all runs on the CPU. Exits 0 if it is as described, 1 if not, 2
# if it could not be tried.
set -u
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
get() { # packages: pinned wheels from PyPI, in the virtual environment or, behind --target, in a folder
  venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all: "$@" >pip.log 2>&1 ||
    { cat pip.log; echo "$* cannot be installed"; exit 2; }
}
python3 -m venv venv || exit 2
get torch==2.9.1 numpy==2.4.6 transformers==5.24.0 tokenizers==0.23.3 huggingface_hub==2.4.0 safetensors==0.8.0 \
  accelerate==1.15.0 requests regex
get --no-deps --target old transformers==4.57.1 tokenizers==0.22.2 huggingface_hub==0.36.2
cat >try.py <<'PYTHON'
import sys, tempfile
import torch, transformers
from torch import nn
from transformers import (CLIPSegConfig, CLIPSegForImageSegmentation, PrinterCallback, Qwen2Config, Qwen2ForCausalLM,
                          Qwen2ForTokenClassification, Trainer, TrainerCallback, TrainingArguments)

class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 1)

    def forward(self, x, labels):
        return {"loss": ((self.linear(x)[:, 0] - labels) ** 2).mean()}

class Keywords(Plain):
    def forward(self, x, labels, **kwargs):
        return super().forward(x, labels)

class Declared(Keywords):
    accepts_loss_kwargs = False

tower = dict(hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2)
language = Qwen2Config(vocab_size=100, num_key_value_heads=1, num_labels=2, classifier_dropout=0.0, **tower)
clipseg = CLIPSegConfig(
    text_config=dict(
        tower, vocab_size=100, bos_token_id=98, eos_token_id=99, pad_token_id=0, max_position_embeddings=16),
    vision_config=dict(tower, image_size=32, patch_size=8), projection_dim=16, reduce_dim=16, extract_layers=[0, 1],
    decoder_num_attention_heads=2, decoder_intermediate_size=32, decoder_attention_dropout=0.0)

torch.manual_seed(3)
points = [{"x": torch.randn(4), "labels": torch.randn(())} for _ in range(8)]
ids = torch.randint(1, 100, (8, 6))
texts = [{"input_ids": row, "labels": row} for row in ids]
classes = [{"input_ids": row, "labels": row % 2} for row in ids]
masks = [{"input_ids": torch.tensor([98, 5 + i, 7, 99]), "attention_mask": torch.ones(4, dtype=torch.long),
          "pixel_values": torch.randn(3, 32, 32), "labels": (torch.rand(32, 32) > 0.7).float()} for i in range(8)]

def norm(make, data, size):
    """Norm of the gradient of the first update from 8 samples, in batches of `size`."""
    torch.manual_seed(0)
    model, norms = make(), []

    class Norm(TrainerCallback):
        def on_pre_optimizer_step(self, *_, **__):
            gradients = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
            norms.append(torch.cat(gradients).norm().item())

    options = TrainingArguments(
        output_dir=tempfile.mkdtemp(dir="."), per_device_train_batch_size=size, gradient_accumulation_steps=8 // size,
        max_steps=1, max_grad_norm=0, use_cpu=True, report_to=[], save_strategy="no", disable_tqdm=True,
        dataloader_pin_memory=False)
    trainer = Trainer(model=model, args=options, train_dataset=data, callbacks=[Norm()])
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return norms[0]

version = transformers.__version__
CASES = [
    ("own model, forward(x, labels)", Plain, points, 1),
    ("own model, forward(x, labels, **kwargs)", Keywords, points, 8),
    ("the same, accepts_loss_kwargs = False", Declared, points, 1),
    ("Qwen2ForCausalLM", lambda: Qwen2ForCausalLM(language), texts, 1),
    ("Qwen2ForTokenClassification", lambda: Qwen2ForTokenClassification(language), classes, 8),
    ("CLIPSegForImageSegmentation", lambda: CLIPSegForImageSegmentation(clipseg), masks,
     {"4.57.1": 1, "5.24.0": 8}[version]),
]
same = True
for name, make, data, seen in CASES:
    ratio = norm(make, data, 1) / norm(make, data, 8)
    print(f"transformers {version}, {name}: {ratio:.4f}")
    same = same and abs(ratio - seen) < 0.01
sys.exit(0 if same else 1)
PYTHON
export OMP_NUM_THREADS=1 TRANSFORMERS_VERBOSITY=error HF_HUB_OFFLINE=1 CUDA_VISIBLE_DEVICES=
state=0
PYTHONPATH=old venv/bin/python try.py 2>try.log || { tail -n 5 try.log; state=1; }
venv/bin/python try.py 2>try.log || { tail -n 5 try.log; state=1; }
[ $state = 0 ] && echo "as described" || echo "NOT as described: the behaviour has changed"
exit $state
