"""SELF1E in PyTorch, eager: what `gsva bench --config configs/bench-efficiency/self1e.json5 --pytorch PYTHON` compares with.

transformers' InternVLVisionModel and Qwen2Model with an explicit 4-D mask; pixel shuffle, mlp1 and the three projections in
plain torch, as the published code computes them (reference: every picture once, one question, float32). Weights are those
that `gsva bench` writes. Packages: configs/bench-small/requirements.txt without segment-anything.

    python self1e.pytorch.py --check FOLDER    # a recording (self1e-tiny): its mask logits and these, nothing is measured
"""

import argparse
import json
import math
import os
import pathlib
import resource
import statistics
import sys
import time

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import load_file
from torch import nn

IMAGE_TOKEN = -200
BLOCK = 2  # of the pixel shuffle


def projection(size: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(size, size), nn.GELU(), nn.Linear(size, outputs))


def shuffle(x):
    """[B, g, g, C] -> [B, g/2, g/2, 4 C], blocks in the order (dy, dx, c)."""
    batch, height, width, channels = x.shape
    x = x.view(batch, height // BLOCK, BLOCK, width // BLOCK, BLOCK, channels).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, height // BLOCK, width // BLOCK, BLOCK * BLOCK * channels)


def unshuffle(x):
    """[B, h, w, 4 C] -> [B, 2 h, 2 w, C], the inverse of `shuffle`."""
    batch, height, width, channels = x.shape
    x = x.view(batch, height, width, BLOCK, BLOCK, channels // BLOCK**2).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, BLOCK * height, BLOCK * width, channels // BLOCK**2)


def double(x):
    """[B, h, w, C] -> [B, 2 h, 2 w, C], bilinear."""
    return F.interpolate(x.permute(0, 3, 1, 2), scale_factor=2, mode="bilinear").permute(0, 2, 3, 1)


class Self1e(nn.Module):
    def __init__(self, vision: dict, llm: dict, tokens: dict):
        super().__init__()
        self.tokens, self.size = tokens, llm["hidden_size"]
        sides = {key: [vision[key]] * 2 for key in ("image_size", "patch_size")}
        self.vision_tower = transformers.InternVLVisionModel(
            transformers.InternVLVisionConfig(**{**vision, **sides}, attention_bias=True, attn_implementation="eager")
        )
        bias = {"attention_bias": True}
        sizes = {key: value for key, value in llm.items() if key not in bias}
        self.llm = transformers.Qwen2Model(transformers.Qwen2Config(**sizes, attn_implementation="eager"))
        self.lm_head = nn.Linear(self.size, llm["vocab_size"], bias=False)
        blocks = BLOCK**2 * vision["hidden_size"]
        self.mlp1 = nn.Sequential(
            nn.LayerNorm(blocks), nn.Linear(blocks, self.size), nn.GELU(), nn.Linear(self.size, self.size)
        )
        self.combine_decode_proj = projection(self.size, self.size)
        self.combine_decode_proj_ori = projection(self.size, 4 * self.size)
        self.combine_decode_proj_all = projection(self.size, 4 * self.size)

    def load(self, weights: dict):
        """Tensors under the published names."""
        own = {}
        for name, value in weights.items():
            name = name.replace("language_model.model.", "llm.").replace("language_model.lm_head.", "lm_head.")
            name = name.replace("vision_model.embeddings.class_embedding", "vision_tower.embeddings.cls_token")
            name = name.replace("vision_model.embeddings.position_embedding", "vision_tower.embeddings.position_embeddings")
            name = name.replace(
                "vision_model.embeddings.patch_embedding.", "vision_tower.embeddings.patch_embeddings.projection."
            )
            name = name.replace("vision_model.encoder.layers.", "vision_tower.encoder.layer.")
            for old, new in (
                (".attn.proj.", ".attention.projection_layer."),
                (".ls1", ".lambda_1"),
                (".ls2", ".lambda_2"),
                (".norm1.", ".layernorm_before."),
                (".norm2.", ".layernorm_after."),
            ):
                name = name.replace(old, new)
            if ".attn.qkv." in name:
                for letter, part in zip("qkv", value.chunk(3)):
                    own[name.replace(".attn.qkv.", f".attention.{letter}_proj.")] = part.float()
            else:
                own[name] = value.float()
        self.load_state_dict(own)

    def features(self, pixels):
        """[tiles, 3, S, S] -> [tiles, g, g, C]."""
        x = self.vision_tower(pixels).last_hidden_state[:, 1:]
        side = math.isqrt(x.shape[1])
        return x.reshape(len(x), side, side, -1)

    def mask(self, ids):
        """Additive mask [1, 1, T, T] of one sequence: causal, but pictures see each other and [SEG]."""
        picture, seg = ids == self.tokens["image_context"], ids == self.tokens["seg"]
        time_ = len(ids)
        sees = torch.ones(time_, time_, dtype=torch.bool).tril() & (ids != 0)[None, :]
        if seg.any():
            sees |= torch.eye(time_, dtype=torch.bool) | (picture[:, None] & (picture | seg)[None, :])
        return torch.zeros(1, 1, time_, time_).masked_fill(~sees, -math.inf)

    def states(self, ids, v1):
        """Ids [T] with <IMG_CONTEXT> in place, V1 [n, d] -> states [T, d] after the last norm."""
        embeddings = self.llm.embed_tokens(ids).clone()
        embeddings[ids == self.tokens["image_context"]] = v1
        output = self.llm(
            inputs_embeds=embeddings[None],
            attention_mask=self.mask(ids),
            position_ids=torch.arange(len(ids))[None],
            use_cache=False,
        )
        return output.last_hidden_state[0]

    def masks(self, ids, hidden, v1, features):
        """Mask logits [n, 4 h, 4 w] of every [SEG] of the sequence."""
        i = hidden[ids == self.tokens["image_context"]].view_as(v1)
        s = hidden[(ids == self.tokens["seg"]).nonzero()[:, 0] - 1]
        hq = self.mlp1(features.repeat(1, 1, 1, BLOCK**2))
        rfa = unshuffle(self.combine_decode_proj_all(i) - self.combine_decode_proj_ori(v1))
        pixels = self.combine_decode_proj(unshuffle(self.combine_decode_proj_ori(hq)) + double(rfa))[0]
        query = self.combine_decode_proj(self.combine_decode_proj_all(s).view(len(s), BLOCK**2, -1).mean(1))
        return torch.einsum("nd,hwd->nhw", query, pixels) / math.sqrt(self.size)

    def forward(self, pixels, ids):
        """Mask logits at the pixels' resolution; logits of the decisions are computed as in an evaluation."""
        features = self.features(pixels)
        v1 = self.mlp1(shuffle(features))
        hidden = self.states(ids, v1.flatten(0, 2))
        self.lm_head(hidden[(ids == self.tokens["seg"]).nonzero()[:, 0] - 1])
        return self.masks(ids, hidden, v1, features)


def random_question(model: dict, workload: dict):
    """Pixels and ids of the sizes of `random-workload.ts`, with one [SEG]."""
    tokens, side = model["tokens"], model["vision"]["image_size"]
    generator = torch.Generator().manual_seed(workload["seed"])
    ids = torch.randint(3, tokens["image_start"] - 3, (workload["textTokens"],), generator=generator)
    ids[-1] = tokens["seg"]
    patches = (side // model["vision"]["patch_size"] // BLOCK) ** 2
    ids = torch.cat([ids[:2], torch.full((patches,), tokens["image_context"]), ids[3:]])
    return torch.randn(1, 3, side, side, generator=generator), ids


def works(network: Self1e, model: dict, workload: dict):
    """The parts by name, as `gsva bench` calls them."""
    pixels, ids = random_question(model, workload)
    size = (workload["height"], workload["width"])
    features = torch.full_like(network.features(pixels), 0.1)
    v1 = network.mlp1(shuffle(features))
    hidden = torch.full((len(ids), model["llm"]["hidden_size"]), 0.1)

    def question():
        logits = network(pixels, ids)
        return F.interpolate(logits[None], size, mode="bilinear")[0] > 0

    return {
        "evaluated image": question,
        "question": question,
        "InternViT": lambda: network.features(pixels),
        "LLM forward": lambda: network.states(ids, network.mlp1(shuffle(features)).flatten(0, 2)),
        "masks": lambda: network.masks(ids, hidden, network.mlp1(shuffle(features)), features),
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


def check(folder: pathlib.Path):
    """Mask logits of a recorded evaluation, its LoRA merged."""
    config = json.loads((folder / "config.json").read_text())
    keys = "hidden_size intermediate_size num_hidden_layers num_attention_heads".split()
    vision = {key: config["vision_config"][key] for key in [*keys, "image_size", "patch_size", "layer_norm_eps"]}
    more = "num_key_value_heads vocab_size max_position_embeddings rms_norm_eps rope_theta".split()
    llm = {key: config["llm_config"][key] for key in [*keys, *more]}
    names = config["self1e"]["tokens"]
    network = Self1e(vision, llm, {"seg": names["[SEG]"], "image_context": names["<IMG_CONTEXT>"]}).eval()
    recorded = load_file(folder / "model.safetensors")
    lora = config["self1e"]["lora"]
    weights = {}
    for name, value in recorded.items():
        if "lora_" in name:
            continue
        if name.endswith(".base_layer.weight"):  # W + (alpha / r) B A
            a, b = (recorded[name.replace("base_layer", f"lora_{letter}.default")] for letter in "AB")
            value = value + lora["alpha"] / lora["r"] * (b @ a)
        weights[name.replace(".base_layer", "").replace("base_model.model.", "")] = value
    network.load(weights)
    case = load_file(folder / "case.safetensors")
    recorded = case["eval.0.logits"]
    with torch.no_grad():
        pixels, rows = case["eval.0.pixel_values"], case["eval.0.input_ids"].long()
        found = torch.cat([network(pixels, ids[: int(ids.count_nonzero())]) for ids in rows])
    error = ((found - recorded).abs().max() / recorded.abs().max()).item()
    print(json.dumps({"masks": len(found), "error": error}))
    if error > 5e-5:
        raise SystemExit("the mask logits are not the recorded ones")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload-json", type=pathlib.Path, help="sizes of model and work, as gsva bench writes them")
    parser.add_argument("--weights", type=pathlib.Path, help="safetensors under the published names")
    parser.add_argument("--check", type=pathlib.Path, help="folder of a recording to compare with, instead")
    parser.add_argument("--only", help="parts to measure, separated by semicolons (default: all)")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.check is not None:
        return check(args.check)
    if args.workload_json is None or args.weights is None:
        parser.error("--workload-json and --weights, or --check are needed")
    described = json.loads(args.workload_json.read_text())
    model, workload = described["model"], described["workload"]
    network = Self1e(model["vision"], model["llm"], model["tokens"]).eval()
    network.load(load_file(args.weights))
    results = {}
    with torch.no_grad():
        parts = works(network, model, workload)
        names = list(parts) if args.only is None else args.only.split(";")
        for name in [name for name in names if name in parts]:
            print(f"{name} ...", file=sys.stderr)
            results[name] = measure(parts[name], args.runs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    versions = f"PyTorch {torch.__version__}, transformers {transformers.__version__}, {torch.get_num_threads()} threads"
    left = [name for name in names if name not in parts]
    print(json.dumps({"versions": versions, "parts": results, "notMeasured": left, "peakRss": peak}))


if __name__ == "__main__":
    main()
