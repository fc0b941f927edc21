#!/bin/sh
# The spaces round an added token: two versions of transformers 4, two prompts of the same LLaMA vocabulary.
#
# Versions: transformers 4.31.0 (of LLaMA 2's and LISA's days) and 4.44.2, sentencepiece 0.2.3, from PyPI (Python 3.8 to
#   3.11; no torch).
# Guess before the run: LlamaTokenizer (the one that is not "fast") keeps the spaces in both.
# Behaviour: 4.31.0 strips the text on both sides of an added token, 4.44.2 keeps it: a model that was trained with one
#   is asked with other tokens by the other, and nothing says so. The legacy flag adds one more difference in each
#   (a U+2581 in front of a piece behind an added token when legacy is true). decode() is no inverse in either.
# Output, legacy=False:             4.31.0                          4.44.2
#   "circle [SEG] b"                _circle [SEG] b                 _circle _ [SEG] _ b
#   "circle[SEG]  b"                _circle [SEG] b                 _circle [SEG] _ _ b
#   text of "circle [SEG] b"        "circle [SEG] b"                "circle  [SEG] b"
# (_ stands for U+2581)
#
# Nothing of this project is run; the vocabulary is made here. Exits 0 if it is as described, 1 if not, 2 if it could not
# be tried.
set -u
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
get() { # folder, packages: a virtual environment of pinned wheels from PyPI
  folder=$1; shift
  python3 -m venv "$folder" && "$folder/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    sentencepiece==0.2.3 protobuf==7.36.2 numpy==1.26.4 huggingface_hub==0.36.2 "$@" >pip.log 2>&1 ||
    { cat pip.log; echo "$* cannot be installed"; exit 2; }
}
get older transformers==4.31.0 tokenizers==0.13.3
get newer transformers==4.44.2 tokenizers==0.19.1
cat >make.py <<'PYTHON'
import sentencepiece
with open("text", "w") as file:
    lines = "the circle and the mask of it\na quick brown fox jumps over the lazy dog\nsegment the circle on the left\n"
    file.write(lines * 200)
sentencepiece.SentencePieceTrainer.train(
    input="text", model_prefix="tokenizer", vocab_size=330, model_type="bpe", byte_fallback=True,
    hard_vocab_limit=False, minloglevel=2, normalization_rule_name="identity", remove_extra_whitespaces=False)
PYTHON
newer/bin/python make.py || exit 2
cat >try.py <<'PYTHON'
import os, sys, warnings
warnings.simplefilter("ignore")
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import transformers
from transformers import LlamaTokenizer

version = transformers.__version__
SEEN = {
    "4.31.0": ["_circle [SEG] b", "_circle [SEG] b", "circle [SEG] b"],
    "4.44.2": ["_circle _ [SEG] _ b", "_circle [SEG] _ _ b", "circle  [SEG] b"],
}
tokenizer = LlamaTokenizer("tokenizer.model", legacy=False)
tokenizer.add_tokens(["[SEG]"])
found = [" ".join(tokenizer.tokenize(text)).replace("▁", "_") for text in ("circle [SEG] b", "circle[SEG]  b")]
found.append(tokenizer.decode(tokenizer.encode("circle [SEG] b", add_special_tokens=False)))
print(f"transformers {version}:", " | ".join(found))
sys.exit(0 if found == SEEN[version] else 1)
PYTHON
state=0
for folder in older newer; do "$folder/bin/python" try.py 2>try.log || { cat try.log; state=1; }; done
[ $state = 0 ] && echo "as described" || echo "NOT as described: the behaviour has changed"
exit $state
