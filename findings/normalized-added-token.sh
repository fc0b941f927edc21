#!/bin/sh
# "circle:[SEG]" has no [SEG] in it for a LLaMA tokenizer.json whose [SEG] is "normalized"; and Python and JavaScript
# decode the [SEG] of "circle [SEG]" to different texts.
#
# Versions: tokenizers 0.23.3 from PyPI (Python 3.9 or newer), @huggingface/tokenizers 0.2.0 from npm (Node 20 or newer).
# The guess one would make (a report contradicts the first): an added token is found wherever its text
#   stands, and both libraries turn the ids of one tokenizer.json back into the same text.
# Behaviour: the normalizer (Prepend, Replace " " by U+2581) is put to the token's text too, which becomes "▁[SEG]": it is
#   found behind a space only, and swallows that space. add_tokens("[SEG]") of transformers makes such tokens
#   (special ones are not normalized). Python's decoder gives the swallowed space back, JavaScript's does not.
# Output (normalized true):
#   "circle:[SEG]"  spelled out: [ S E G ], no [SEG]
#   "circle [SEG]"  [SEG] found; Python's text is "circle [SEG]", JavaScript's "circle[SEG]"
# and with normalized false, both are found, both texts are "circle [SEG]".
#
# Nothing of this project is run; the vocabulary is made here. Exits 0 if it is as described, 1 if not, 2 if it could not
# be tried.
set -u
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
python3 -m venv venv && venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all: tokenizers==0.23.3 \
  >pip.log 2>&1 || { cat pip.log; echo "tokenizers cannot be installed"; exit 2; }
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts @huggingface/tokenizers@0.2.0 >npm.log 2>&1 ||
  { cat npm.log; echo "@huggingface/tokenizers cannot be installed"; exit 2; }
cat >try.py <<'PYTHON'
import sys
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

SEEN = {True: [False, True, "circle [SEG]"], False: [True, True, "circle [SEG]"]}
same = True
for normalized, seen in SEEN.items():
    vocab = {token: number for number, token in enumerate(["<unk>", *"▁cirle:[]SEG"])}
    tokenizer = Tokenizer(models.BPE(vocab, [], unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_tokens([AddedToken("[SEG]", normalized=normalized)])
    tokenizer.save(f"{normalized}.json")
    number = tokenizer.token_to_id("[SEG]")
    joined, apart = (tokenizer.encode(text).ids for text in ("circle:[SEG]", "circle [SEG]"))
    found = [number in joined, number in apart, tokenizer.decode(apart)]
    print(f"Python, normalized {normalized}: [SEG] in circle:[SEG] {found[0]}, in circle [SEG] {found[1]}, text {found[2]!r}")
    same = same and found == seen
sys.exit(0 if same else 1)
PYTHON
cat >try.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { Tokenizer } from '@huggingface/tokenizers';

let same = true;
for (const [normalized, seen] of [['True', 'false,true,circle[SEG]'], ['False', 'true,true,circle [SEG]']]) {
  const json = JSON.parse(readFileSync(`${normalized}.json`, 'utf8'));
  const number = json.added_tokens.find(({ content }) => content === '[SEG]').id;
  const tokenizer = new Tokenizer(json, {});
  const [joined, apart] = ['circle:[SEG]', 'circle [SEG]'].map((text) => tokenizer.encode(text).ids);
  const found = [joined.includes(number), apart.includes(number), tokenizer.decode(apart)];
  console.log(`JavaScript, normalized ${normalized}: ${found.join(', ')}`);
  same = same && found.join() === seen;
}
process.exitCode = same ? 0 : 1;
JS
state=0
venv/bin/python try.py || state=1
node try.mjs || state=1
[ $state = 0 ] && echo "as described" || echo "NOT as described: the behaviour has changed"
exit $state
