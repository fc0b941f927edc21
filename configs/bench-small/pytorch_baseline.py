"""What `gsva bench --pytorch PYTHON` compares with: GSVA in PyTorch, of the packages the published code is built on
(transformers for CLIP and LLaMA, segment-anything for SAM), put together as in its model/modeling_lisa_gsva.py.

    gsva bench --pytorch venv/bin/python                                   # writes the workload, runs this, reads JSON
    venv/bin/python pytorch_baseline.py --check test/fixtures/gsva-tiny    # proves that it computes the published loss

float32 on the CPU, random weights. As published: LLaMA's layers are recomputed in the backward pass (gradient
checkpointing, --no-checkpointing turns it off), attention is not fused (--attention sdpa fuses it), the encoders run in
every training step, and an evaluated image runs LLaMA and CLIP twice in full.
"""

import argparse
import functools
import json
import os
import pathlib
import resource
import statistics
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, TwoWayTransformer
from torch import nn
from torch.nn import functional as F

IMAGE_TOKEN = -200
IGNORE = -100


class LoraLinear(nn.Linear):
    """peft's LoRA layer: y = x W + (alpha / r) (x A) B."""

    def __init__(self, inputs: int, outputs: int, rank: int, alpha: float):
        super().__init__(inputs, outputs, bias=False)
        self.lora_A = nn.ModuleDict({"default": nn.Linear(inputs, rank, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(rank, outputs, bias=False)})
        self.scaling = alpha / rank

    def forward(self, x):
        return super().forward(x) + self.lora_B["default"](self.lora_A["default"](x)) * self.scaling


class Gsva(nn.Module):
    def __init__(self, config: dict, attention: str, checkpointing: bool):
        super().__init__()
        self.config = config
        clip, llm, sam, lora = config["clip"], config["llm"], config["sam"], config["lora"]
        self.vision_tower = transformers.CLIPVisionModel(
            transformers.CLIPVisionConfig(
                **{key: value for key, value in clip.items() if key != "select_layer"}, attn_implementation=attention
            )
        )
        self.mm_projector = nn.Linear(clip["hidden_size"], llm["hidden_size"])
        self.llama = transformers.LlamaForCausalLM(
            transformers.LlamaConfig(**llm, attn_implementation=attention, tie_word_embeddings=False)
        )
        for layer in self.llama.model.layers:
            for name in lora["targets"]:
                parent = layer.self_attn if hasattr(layer.self_attn, name) else layer.mlp
                old = getattr(parent, name)
                setattr(parent, name, LoraLinear(old.in_features, old.out_features, lora["r"], lora["alpha"]))
        prompt = sam["prompt_embed_dim"]
        grid = sam["image_size"] // sam["patch_size"]
        self.text_hidden_fcs = nn.Sequential(
            nn.Linear(llm["hidden_size"], llm["hidden_size"]), nn.ReLU(inplace=True), nn.Linear(llm["hidden_size"], prompt)
        )
        self.image_encoder = ImageEncoderViT(
            img_size=sam["image_size"],
            patch_size=sam["patch_size"],
            embed_dim=sam["embed_dim"],
            depth=sam["depth"],
            num_heads=sam["num_heads"],
            mlp_ratio=4,
            out_chans=prompt,
            qkv_bias=True,
            use_rel_pos=True,
            norm_layer=functools.partial(nn.LayerNorm, eps=1e-6),
            window_size=sam["window_size"],
            global_attn_indexes=sam["global_attn_indexes"],
        )
        self.prompt_encoder = PromptEncoder(
            embed_dim=prompt,
            image_embedding_size=(grid, grid),
            input_image_size=(sam["image_size"], sam["image_size"]),
            mask_in_chans=sam["mask_in_chans"],
        )
        self.mask_decoder = MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(
                depth=sam["decoder_depth"],
                embedding_dim=prompt,
                mlp_dim=sam["decoder_mlp_dim"],
                num_heads=sam["decoder_heads"],
            ),
            transformer_dim=prompt,
            iou_head_depth=3,
            iou_head_hidden_dim=sam["iou_head_hidden_dim"],
        )
        self.requires_grad_(False)
        for name, parameter in self.named_parameters():
            if any(part in name for part in ("lora_", "embed_tokens", "lm_head", "text_hidden_fcs", "mask_decoder")):
                parameter.requires_grad_(True)
        if checkpointing:
            self.llama.gradient_checkpointing_enable()

    @torch.no_grad()
    def clip_features(self, images):
        outputs = self.vision_tower(images, output_hidden_states=True)
        return outputs.hidden_states[self.config["clip"]["select_layer"]][:, 1:]

    @torch.no_grad()
    def image_embeddings(self, images):
        return torch.cat([self.image_encoder(image[None]) for image in images])

    def embed(self, ids, mask, labels, images_clip):
        """The image placeholder of every row replaced by the image's tokens."""
        vision = self.mm_projector(self.clip_features(images_clip))
        text = self.llama.model.embed_tokens(ids.clamp(min=0))
        rows = []
        for row in range(len(ids)):
            at = int((ids[row] == IMAGE_TOKEN).nonzero()[0, 0])
            patches = vision.shape[1]
            rows.append(
                (
                    torch.cat([text[row, :at], vision[row], text[row, at + 1 :]]),
                    torch.cat([mask[row, :at], mask.new_ones(patches), mask[row, at + 1 :]]),
                    torch.cat([labels[row, :at], labels.new_full((patches,), IGNORE), labels[row, at + 1 :]]),
                )
            )
        return [torch.stack(part) for part in zip(*rows)]

    def language(self, ids, mask, labels, images_clip):
        """Logits of all positions and normalised last hidden states, as the published forward has them."""
        embeddings, mask, labels = self.embed(ids, mask, labels, images_clip)
        output = self.llama(
            inputs_embeds=embeddings, attention_mask=mask, labels=labels, output_hidden_states=True, use_cache=False
        )
        return output.loss, output.logits, output.hidden_states[-1]

    def queries(self, hidden, ids):
        """Mask queries of the [SEG] of each row: the state one before each."""
        prompts = self.text_hidden_fcs(hidden)
        patches = hidden.shape[1] - ids.shape[1] + 1
        found = []
        for row in range(len(ids)):
            places = (ids[row] == self.config["tokens"]["seg"]).nonzero()[:, 0]
            found.append(prompts[row, places + patches - 2])
        return found

    def low_res_masks(self, embedding, queries):
        dense = self.prompt_encoder.no_mask_embed.weight.reshape(1, -1, 1, 1).expand(
            len(queries), -1, *self.prompt_encoder.image_embedding_size
        )
        return self.mask_decoder(
            image_embeddings=embedding[None],
            image_pe=self.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=queries[:, None],
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )[0]

    def masks(self, embedding, queries, resized, original):
        side = self.config["sam"]["image_size"]
        masks = F.interpolate(self.low_res_masks(embedding, queries), (side, side), mode="bilinear", align_corners=False)
        masks = masks[..., : resized[0], : resized[1]]
        return F.interpolate(masks, tuple(original), mode="bilinear", align_corners=False)[:, 0]

    def losses(self, batch):
        """The objective, as in model_forward: [REJ] targets against an all-zero prediction."""
        weights = self.config["loss"]
        embeddings = self.image_embeddings(batch["images"])
        ce, _, hidden = self.language(batch["ids"], batch["mask"], batch["labels"], batch["images_clip"])
        bce = dice = count = 0
        for row, queries in enumerate(self.queries(hidden, batch["ids"])):
            target = batch["gt_masks"][row]
            decisions = [token for token in batch["ids"][row].tolist() if token in self.decisions]
            is_found = torch.tensor([token == self.config["tokens"]["seg"] for token in decisions])
            prediction = torch.zeros_like(target)
            if is_found.any():
                masks = self.masks(embeddings[row], queries, batch["resized"][row], batch["original"][row])
                prediction = prediction.index_put((is_found.nonzero()[:, 0],), masks)
            bce = bce + F.binary_cross_entropy_with_logits(prediction, target, reduction="none").flatten(1).mean(1).sum()
            p, g = prediction.sigmoid().flatten(1), target.flatten(1)
            overlap = 2 * (p / 1000 * g).sum(-1)
            dice = dice + (1 - (overlap + 1e-6) / ((p / 1000).sum(-1) + (g / 1000).sum(-1) + 1e-6)).sum()
            count += len(target)
        parts = {
            "ce": weights["ce"] * ce,
            "bce": weights["bce"] * bce / (count + 1e-8),
            "dice": weights["dice"] * dice / (count + 1e-8),
        }
        return {"loss": sum(parts.values()), **parts}

    @property
    def decisions(self):
        return self.config["tokens"]["seg"], self.config["tokens"]["rej"]

    @torch.no_grad()
    def evaluate(self, batch):
        """One image: teacher forcing, then once more with [SEG] for every [REJ]; binary masks of the second pass."""
        seg, rej = self.decisions
        embeddings = self.image_embeddings(batch["images"])
        _, logits, _ = self.language(batch["ids"], batch["mask"], batch["labels"], batch["images_clip"])
        answers = logits.argmax(-1)
        again = batch["ids"].masked_fill(batch["ids"] == rej, seg)
        _, _, hidden = self.language(again, batch["mask"], batch["labels"], batch["images_clip"])
        queries = self.queries(hidden, again)
        return answers, [
            self.masks(embeddings[row], q, batch["resized"][row], batch["original"][row]) >= 0
            for row, q in enumerate(queries)
        ]

    @torch.no_grad()
    def generate(self, ids, images_clip, new_tokens: int):
        mask = torch.ones_like(ids)
        embeddings, _, _ = self.embed(ids, mask, ids, images_clip)
        output = self.llama.model(inputs_embeds=embeddings, use_cache=True)
        for _ in range(new_tokens - 1):
            token = self.llama.lm_head(output.last_hidden_state[:, -1:]).argmax(-1)
            output = self.llama.model(input_ids=token, past_key_values=output.past_key_values, use_cache=True)
        token = self.llama.lm_head(output.last_hidden_state[:, -1:]).argmax(-1)
        return token


def random_batch(config: dict, workload: dict, rows: int, rejected: tuple = ()):
    """The sizes of `random-workload.ts`."""
    tokens, time_ = config["tokens"], workload["textTokens"]
    generator = torch.Generator().manual_seed(workload["seed"])
    start = torch.tensor([tokens["bos"], tokens["im_start"], IMAGE_TOKEN, tokens["im_end"]])
    ordinary = min(tokens["seg"], config["llm"]["vocab_size"])
    ids = torch.cat(
        [start.expand(rows, -1), torch.randint(3, ordinary, (rows, time_ - 4), generator=generator)], dim=1
    )
    question = time_ * 2 // 3
    for index in range(workload["masks"]):
        place = question + (index + 1) * (time_ - question) // workload["masks"] - 1
        ids[:, place] = tokens["rej"] if index in rejected else tokens["seg"]
    labels = ids.clone()
    labels[:, :question] = IGNORE
    height, width = workload["height"], workload["width"]
    side = config["sam"]["image_size"]
    scale = side / max(height, width)
    clip_side = config["clip"]["image_size"]
    masks = torch.zeros(workload["masks"], height, width)
    masks[:, height // 4 : 3 * height // 4, width // 4 : width // 2] = 1
    return {
        "ids": ids,
        "labels": labels,
        "mask": torch.ones_like(ids),
        "images": torch.randn(rows, 3, side, side, generator=generator),
        "images_clip": torch.randn(rows, 3, clip_side, clip_side, generator=generator),
        "gt_masks": [masks] * rows,
        "resized": [(int(height * scale + 0.5), int(width * scale + 0.5))] * rows,
        "original": [(height, width)] * rows,
        "prompt": ids[:1, :question],
    }


def works(model: Gsva, config: dict, workload: dict):
    """The parts by name, as `gsva bench` calls them."""
    batch = random_batch(config, workload, workload["batch"])
    single = random_batch(config, workload, 1, rejected=(1,))
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, betas=(0.9, 0.95), eps=1e-8, weight_decay=0)

    def training_step():
        model.train()
        optimizer.zero_grad(set_to_none=True)
        loss = model.losses(batch)["loss"]
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if not torch.isfinite(loss):
            raise SystemExit("the loss is not finite")

    def kept_step(original=model.image_embeddings, clip=model.clip_features):
        kept = getattr(kept_step, "features", None)
        if kept is None:
            kept = kept_step.features = (original(batch["images"]), clip(batch["images_clip"]))
        model.image_embeddings, model.clip_features = lambda _: kept[0], lambda _: kept[1]
        try:
            training_step()
        finally:
            model.image_embeddings, model.clip_features = original, clip

    def held_step():
        was_on = model.llama.is_gradient_checkpointing
        model.llama.gradient_checkpointing_disable()
        try:
            kept_step()
        finally:
            if was_on:
                model.llama.gradient_checkpointing_enable()

    def inference(run):
        def work():
            model.eval()
            with torch.no_grad():
                run()

        return work

    hidden = torch.full((workload["batch"], 1, config["llm"]["hidden_size"]), 0.1)
    patches = (config["clip"]["image_size"] // config["clip"]["patch_size"]) ** 2
    embeddings = hidden.expand(-1, workload["textTokens"] - 1 + patches, -1).contiguous()
    grid = config["sam"]["image_size"] // config["sam"]["patch_size"]
    prompt = config["sam"]["prompt_embed_dim"]
    embedding = torch.full((prompt, grid, grid), 0.1)
    queries = torch.full((workload["masks"], prompt), 0.1)
    return {
        "training step": training_step,
        "training step, features kept": kept_step,
        "training step, features kept, nothing recomputed": held_step,
        "evaluated image": inference(lambda: model.evaluate(single)),
        "SAM encoder": inference(lambda: model.image_embeddings(single["images"])),
        "CLIP tower": inference(lambda: model.clip_features(single["images_clip"])),
        "LLM forward": inference(lambda: model.llama.model(inputs_embeds=embeddings, use_cache=False)),
        "masks": inference(lambda: model.low_res_masks(embedding, queries)),
        "generate": inference(lambda: model.generate(single["prompt"], single["images_clip"], workload["newTokens"])),
    }


def measure(work, runs: int):
    seconds = []
    for run in range(runs + 1):
        start = time.perf_counter()
        work()
        if run > 0:
            seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"runs": seconds, "median": statistics.median(seconds), "peakRss": peak}


def check(folder: pathlib.Path, attention: str, checkpointing: bool):
    """The recorded losses and which parameters get a gradient."""
    from safetensors.torch import load_file

    config = json.loads((folder / "config.json").read_text())
    case = json.loads((folder / "case.json").read_text())
    model = Gsva(config, attention, checkpointing).train()
    recorded = load_file(folder / "model.safetensors")
    places = {
        "model.vision_tower.vision_tower.": "vision_tower.",
        "model.mm_projector.": "mm_projector.",
        "model.text_hidden_fcs.0.": "text_hidden_fcs.",
        "model.visual_model.": "",
        "model.": "llama.model.",
        "lm_head.": "llama.lm_head.",
    }
    weights = {}
    for name, value in recorded.items():
        name = name.removeprefix("base_model.model.")
        old, new = next((old, new) for old, new in places.items() if name.startswith(old))
        weights[new + name.removeprefix(old)] = value
    known = set(model.state_dict())
    if "vision_tower.embeddings.class_embedding" in known:  # newer transformers leave a level out
        weights = {name.replace("vision_tower.vision_model.", "vision_tower."): v for name, v in weights.items()}
    result = model.load_state_dict(weights, strict=False)
    unexpected = result.unexpected_keys + [
        key for key in result.missing_keys if not key.endswith(("position_ids", "inv_freq"))  # tables, not weights
    ]
    if unexpected:
        raise SystemExit(f"the weights do not fit: {unexpected[:5]}")
    tensors = load_file(folder / "case.safetensors")
    batch = {
        "ids": tensors["input_ids"].long(),
        "labels": tensors["labels"].long(),
        "mask": tensors["attention_mask"].long(),
        "images": tensors["images"],
        "images_clip": tensors["images_clip"],
        "gt_masks": [tensors["gt_masks.0"].float(), tensors["gt_masks.1"].float()],
        "resized": case["sizes"],
        "original": case["original_sizes"],
    }
    found = model.losses(batch)
    found["loss"].backward()
    names = {"loss": "loss", "ce": "ce_loss", "bce": "mask_bce_loss", "dice": "mask_dice_loss"}
    errors = {name: abs(found[name].item() - case["losses"][key]) for name, key in names.items()}
    grads = load_file(folder / "grads.safetensors")
    with_gradient = sum(p.grad is not None for p in model.parameters())
    print(json.dumps({"errors": errors, "parametersWithGradient": with_gradient, "recorded": len(grads)}))
    if max(errors.values()) > 1e-4:
        raise SystemExit("the losses are not the recorded ones")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload-json", type=pathlib.Path, help="sizes of model and batch, as gsva bench writes them")
    parser.add_argument("--check", type=pathlib.Path, help="folder of a recording to compare with, instead")
    parser.add_argument("--only", help="parts to measure, separated by semicolons (default: all)")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--attention", choices=["eager", "sdpa"], default="eager")
    parser.add_argument("--no-checkpointing", dest="checkpointing", action="store_false")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    if args.check is not None:
        return check(args.check, args.attention, args.checkpointing)
    if args.workload_json is None:
        parser.error("--workload-json or --check is needed")
    described = json.loads(args.workload_json.read_text())
    config, workload = described["model"], described["workload"]
    model = Gsva(config, args.attention, args.checkpointing)
    parts = works(model, config, workload)
    names = list(parts) if args.only is None else args.only.split(";")
    results = {}
    for name in names:
        print(f"{name} ...", file=sys.stderr)
        results[name] = measure(parts[name], args.runs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    versions = f"PyTorch {torch.__version__}, transformers {transformers.__version__}, {torch.get_num_threads()} threads"
    print(json.dumps({"versions": versions, "parts": results, "peakRss": peak}))


if __name__ == "__main__":
    main()
