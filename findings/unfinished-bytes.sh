#!/bin/sh
# Unfinished characters, spelled in byte tokens: three LLaMA decoders, three texts of the same tokens.
#
# Versions: sentencepiece 0.2.3 and tokenizers 0.23.3 from PyPI (Python 3.9 or newer), @huggingface/tokenizers 0.2.0 from
#   npm (Node 20 or newer).
# Guess before the run: what bytes.decode(errors="replace") gives, in all three: one U+FFFD for E2 82.
# Behaviour: sentencepiece gives one U+FFFD for each byte that is not part of a character. Python's tokenizers
#   (ByteFallback) gives up the WHOLE run of byte tokens: a finished euro sign before an unfinished byte is lost. Its
#   JavaScript namesake reads the run as UTF-8 text does: one U+FFFD for E2 82. A text that is shown while it is generated
#   meets this at every character of several bytes.
# Output (? stands for U+FFFD):            E2 82     E2 82 AC E2
#   sentencepiece                          ??        (euro)?
#   tokenizers (Python)                    ??        ????
#   @huggingface/tokenizers (JavaScript)   ?         (euro)?
#
# Nothing of this project is run; the vocabularies are made here. Exits 0 if it is as described, 1 if not, 2 if it could
# not be tried.
set -u
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
python3 -m venv venv && venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all: \
  sentencepiece==0.2.3 tokenizers==0.23.3 >pip.log 2>&1 || { cat pip.log; echo "the packages cannot be installed"; exit 2; }
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts @huggingface/tokenizers@0.2.0 >npm.log 2>&1 ||
  { cat npm.log; echo "@huggingface/tokenizers cannot be installed"; exit 2; }
cat >try.py <<'PYTHON'
import sys
import sentencepiece
from tokenizers import Tokenizer, decoders, models, normalizers

RUNS = [["<0xE2>", "<0x82>"], ["<0xE2>", "<0x82>", "<0xAC>", "<0xE2>"]]
with open("text", "w") as file:
    file.write("the circle and the mask of it\nsegment the circle on the left\n" * 200)
sentencepiece.SentencePieceTrainer.train(input="text", model_prefix="pieces", vocab_size=320, model_type="bpe",
                                         byte_fallback=True, hard_vocab_limit=False, minloglevel=2)
pieces = sentencepiece.SentencePieceProcessor(model_file="pieces.model")

vocab = {token: number for number, token in enumerate(["<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)] + ["▁", "a"])}
tokenizer = Tokenizer(models.BPE(vocab, [], unk_token="<unk>", byte_fallback=True))
tokenizer.normalizer = normalizers.Replace(" ", "▁")
steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]  # LLaMA's, but for the first space
tokenizer.decoder = decoders.Sequence(steps)
tokenizer.save("tokenizer.json")

same = True
for name, decode, seen in (
    ("sentencepiece", lambda run: pieces.decode([pieces.piece_to_id(token) for token in run]), ["??", "€?"]),
    ("tokenizers (Python)", lambda run: tokenizer.decode([vocab[token] for token in run]), ["??", "????"]),
):
    found = [decode(run).replace("\ufffd", "?") for run in RUNS]
    print(name, *map(ascii, found))
    same = same and found == seen
sys.exit(0 if same else 1)
PYTHON
cat >try.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { Tokenizer } from '@huggingface/tokenizers';

const json = JSON.parse(readFileSync('tokenizer.json', 'utf8'));
const tokenizer = new Tokenizer(json, {});
const runs = [['<0xE2>', '<0x82>'], ['<0xE2>', '<0x82>', '<0xAC>', '<0xE2>']];
const found = runs.map((run) => tokenizer.decode(run.map((token) => json.model.vocab[token])).replaceAll('\ufffd', '?'));
console.log('@huggingface/tokenizers (JavaScript)', ...found.map((text) => JSON.stringify(text).replace('€', '\\u20ac')));
process.exitCode = found.join() === '?,€?' ? 0 : 1;
JS
state=0
venv/bin/python try.py || state=1
node try.mjs || state=1
[ $state = 0 ] && echo "as described" || echo "NOT as described: the behaviour has changed"
exit $state
