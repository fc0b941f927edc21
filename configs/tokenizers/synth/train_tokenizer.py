"""How tokenizer.model beside this file was made; nobody needs to run it again.

    pip install sentencepiece protobuf
    python train_tokenizer.py corpus.txt tokenizer.model

SentencePiece BPE with LLaMA's settings (identity normalisation, byte fallback, split digits, unk/bos/eos = 0/1/2) on
conversations of the embedded benchmark: 1,500 base scenes, each once with the base's questions and once with the
training and evaluation forms of GSVA (src/synthetic/base-text.ts, src/data/text/prompts.ts), special tokens removed.
"""
import sys

import sentencepiece

corpus, model = sys.argv[1:]
sentencepiece.SentencePieceTrainer.train(
    input=corpus,
    model_prefix=model.removesuffix(".model"),
    model_type="bpe",
    vocab_size=600,
    byte_fallback=True,
    split_digits=True,
    normalization_rule_name="identity",
    remove_extra_whitespaces=False,
    add_dummy_prefix=True,
    character_coverage=1.0,
    max_sentence_length=65536,
    unk_id=0,
    bos_id=1,
    eos_id=2,
    pad_id=-1,
)
