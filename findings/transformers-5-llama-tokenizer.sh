#!/bin/sh
# transformers 5: LlamaTokenizer(vocab_file=...) makes a tokenizer of 3 tokens and says nothing; a space in front is lost.
#
# Versions: transformers 4.44.2 and 5.24.0, sentencepiece 0.2.3, from PyPI (Python 3.11; no torch).
# Guess (the first not written down before the run): the keyword of 4.x works or is refused by name; the folder with
#   tokenizer.model gives the same tokens in both; save_pretrained writes tokenizer.model as well.
# Behaviour: 5 has no vocab_file any more, but takes any keyword: the file is not read, the vocabulary is <unk> <s> </s>,
#   and every text becomes no tokens at all. from_pretrained(folder) reads the model, but drops ONE space in front of a
#   text that 4.44.2 (legacy=False) keeps. It writes tokenizer.json and tokenizer_config.json, and neither
#   tokenizer.model nor special_tokens_map.json: what reads SentencePiece files has nothing to read.
# Output:                                    4.44.2                     5.24.0
#   LlamaTokenizer(vocab_file=...)           330 tokens                 3 tokens
#   its tokens of "the circle"               more than 0                0
#   from_pretrained(folder), " circle"       U+2581, U+2581 circle      U+2581 circle
#   save_pretrained writes tokenizer.model   yes                        no
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
    sentencepiece==0.2.3 protobuf==7.36.2 "$@" >pip.log 2>&1 || { cat pip.log; echo "$* cannot be installed"; exit 2; }
}
get old transformers==4.44.2 tokenizers==0.19.1 numpy==1.26.4 huggingface_hub==0.36.2
get new transformers==5.24.0 tokenizers==0.23.3 numpy==2.4.6 huggingface_hub==2.4.0
cat >make.py <<'PYTHON'
import json, os, sentencepiece
os.mkdir("folder")
with open("text", "w") as file:
    lines = "the circle and the mask of it\na quick brown fox jumps over the lazy dog\nsegment the circle on the left\n"
    file.write(lines * 200)
sentencepiece.SentencePieceTrainer.train(
    input="text", model_prefix="folder/tokenizer", vocab_size=330, model_type="bpe", byte_fallback=True,
    hard_vocab_limit=False, minloglevel=2, normalization_rule_name="identity", remove_extra_whitespaces=False)
with open("folder/tokenizer_config.json", "w") as file:
    json.dump({"tokenizer_class": "LlamaTokenizer", "legacy": False}, file)
PYTHON
old/bin/python make.py || exit 2
cat >try.py <<'PYTHON'
import os, sys, warnings
warnings.simplefilter("ignore")
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import transformers
from transformers import LlamaTokenizer

version = transformers.__version__
SEEN = {
    "4.44.2": [330, True, ["▁", "▁circle"], True],
    "5.24.0": [3, False, ["▁circle"], False],
}
direct = LlamaTokenizer(vocab_file="folder/tokenizer.model", legacy=False)
loaded = LlamaTokenizer.from_pretrained("folder")
loaded.save_pretrained(f"saved-{version}")
files = sorted(os.listdir(f"saved-{version}"))
found = [len(direct), len(direct.tokenize("the circle")) > 0, loaded.tokenize(" circle"), "tokenizer.model" in files]
print(f"transformers {version}: vocab_file {found[0]} tokens, text has tokens: {found[1]}; ' circle' {ascii(found[2])}")
print(f"transformers {version} writes", *files)
sys.exit(0 if found == SEEN[version] and len(loaded) == 330 else 1)
PYTHON
state=0
for folder in old new; do "$folder/bin/python" try.py 2>try.log || { cat try.log; state=1; }; done
[ $state = 0 ] && echo "as described" || echo "NOT as described: the behaviour has changed"
exit $state
