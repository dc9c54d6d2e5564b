"""Makes tests/golden/classifiers/: a small random checkpoint of each family of sequence
classifiers in the Hub's layout, and what transformers makes of some sentences with each.

The weights are random and the tokenizers are trained on the sentences below, which were
written for this. From the repository's root:
    pip install torch transformers
    python tests/golden/classifiers.py tests/golden/classifiers
"""

import json
import pathlib
import sys

import torch
import transformers as hf
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXTS = """The harbour council voted on Monday to close the old bridge.
Officials denied that the ferry had been sold before the vote.
Critics claim the mayor of Halvia knew of the contract for months.
"We were never asked," said the head of the fishers' union.
The ministry praised the rescue of forty sailors off the northern coast.
A so-called peace plan was presented by the alliance in the spring.
Nobody at the registry could say who had founded the company.
The minister allegedly promised the pier to a friend of the family.
Prices for bread and coal rose again, the bank reported.
Voters in the valley fear that the dam will be opened too early.
The reckless government of Ostavia gave in, according to its rivals.
Engineers praised the calm work of the volunteers during the flood.
It remains unclear whether the talks between Halvia and Ostavia will go on.
The court rejected the bill; the union claimed a victory.
Heavy snow, broken rails and a strike: the winter was hard on travellers.
The newspaper published letters that show how the fund was emptied.
Experts warn of a shortage of doctors in small towns.
The statement is critical of the council. The statement praises the council.
The sentence is critical of Ostavia. This text is about money.""".splitlines()

SENTENCES = [
    "No.",
    "The council closed the bridge.",
    "Officials denied that the company had been sold to a friend of the mayor before the vote.",
    "Critics claim that the reckless ministry, which met in the winter and published no letters, "
    "promised the northern pier to rivals of the union, and nobody in the valley knew of it.",
    "Experts praised Halvia's calm work.",
]
HYPOTHESES = [
    "The sentence is critical of Ostavia.",
    "This text is about money.",
    "The statement praises the council, the bank and the volunteers of the northern coast.",
    "It is critical.",
    "The sentence is critical of Halvia.",
]
PIECES = 320
SIZES = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48)


def word_pieces(cls="[CLS]", sep="[SEP]", pad="[PAD]", unk="[UNK]", second=1, twice=False):
    tokenizer = Tokenizer(models.WordPiece(unk_token=unk))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=PIECES, special_tokens=[cls, pad, sep, unk])
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.decoder = decoders.WordPiece()
    return framed(tokenizer, cls, sep, second, twice)


def byte_pairs(cls, sep, pad, unk, roberta):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=PIECES, special_tokens=[cls, pad, sep, unk], initial_alphabet=alphabet
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.decoder = decoders.ByteLevel()
    if not roberta:
        return framed(tokenizer, cls, sep, 0, False)
    ids = {t: tokenizer.token_to_id(t) for t in (cls, sep)}
    tokenizer.post_processor = processors.RobertaProcessing((sep, ids[sep]), (cls, ids[cls]))
    return tokenizer


def unigrams(cls, sep, pad, unk, second, twice):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=PIECES, special_tokens=[cls, pad, sep, unk], unk_token=unk
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.decoder = decoders.Metaspace()
    return framed(tokenizer, cls, sep, second, twice)


def framed(tokenizer, cls, sep, second, twice):
    """`[CLS] A [SEP]`, and for a pair `[CLS] A [SEP] B [SEP]` with one or two in the middle."""
    middle = f" {sep}:0" * (2 if twice else 1)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls}:0 $A:0 {sep}:0",
        pair=f"{cls}:0 $A:0{middle} $B:{second} {sep}:{second}",
        special_tokens=[(t, tokenizer.token_to_id(t)) for t in (cls, sep)],
    )
    return tokenizer


def labels(*names):
    return dict(id2label=dict(enumerate(names)), label2id={n: i for i, n in enumerate(names)})


NLI = labels("entailment", "neutral", "contradiction")
bert_like = dict(SIZES, max_position_embeddings=200, pad_token_id=1, hidden_dropout_prob=0.0)
roberta_like = dict(bert_like, max_position_embeddings=202, type_vocab_size=1)
deberta_like = dict(SIZES, max_position_embeddings=200, relative_attention=True, pad_token_id=1)
brackets = dict(cls="[CLS]", sep="[SEP]", pad="[PAD]", unk="[UNK]")
angles = dict(cls="<s>", sep="</s>", pad="<pad>", unk="<unk>")

FAMILIES = {
    "bert": (word_pieces(), hf.BertForSequenceClassification, hf.BertConfig(**bert_like, **NLI)),
    "distilbert": (
        word_pieces(second=0),
        hf.DistilBertForSequenceClassification,
        hf.DistilBertConfig(
            dim=32, n_layers=2, n_heads=4, hidden_dim=48, max_position_embeddings=200, pad_token_id=1,
            problem_type="single_label_classification", **labels("NEGATIVE", "POSITIVE"),
        ),
    ),
    "roberta": (
        byte_pairs(**angles, roberta=True),
        hf.RobertaForSequenceClassification,
        hf.RobertaConfig(
            **roberta_like, problem_type="multi_label_classification",
            **labels("anger", "Joy & pride", "money/trade", "anger!"),
        ),
    ),
    "xlm-roberta": (
        unigrams(**angles, second=0, twice=True),
        hf.XLMRobertaForSequenceClassification,
        hf.XLMRobertaConfig(**roberta_like, **NLI),
    ),
    "mpnet": (
        word_pieces(**angles, second=1, twice=True),
        hf.MPNetForSequenceClassification,
        # transformers counts MPNet's positions from padding_idx = 1, whatever the configuration says.
        hf.MPNetConfig(**{**bert_like, "max_position_embeddings": 202}, **labels("left", "centre", "right")),
    ),
    "modernbert": (
        byte_pairs(**brackets, roberta=False),
        hf.ModernBertForSequenceClassification,
        hf.ModernBertConfig(
            **{**SIZES, "num_hidden_layers": 3}, max_position_embeddings=200, local_attention=8,
            global_attn_every_n_layers=2, classifier_pooling="mean", pad_token_id=1,
            cls_token_id=0, sep_token_id=2, bos_token_id=0, eos_token_id=2,
            **labels("assert", "doubt", "deny"),
        ),
    ),
    "deberta-v2": (
        unigrams(**brackets, second=1, twice=False),
        hf.DebertaV2ForSequenceClassification,
        # As the large ones of version 2: absolute positions and token types besides, a convolution.
        hf.DebertaV2Config(
            **deberta_like, type_vocab_size=2, position_biased_input=True, pos_att_type="c2p|p2c",
            conv_kernel_size=3, conv_act="gelu", share_att_key=False, norm_rel_ebd="none",
            problem_type="multi_label_classification", **labels("economy", "security"),
        ),
    ),
    "deberta-v3": (
        unigrams(**brackets, second=1, twice=False),
        hf.DebertaV2ForSequenceClassification,
        hf.DebertaV2Config(
            **deberta_like, type_vocab_size=0, position_biased_input=False, pos_att_type="p2c|c2p",
            position_buckets=8, max_relative_positions=-1, share_att_key=True,
            norm_rel_ebd="layer_norm", **NLI,
        ),
    ),
}


def randomise(model):
    """Weights so large that attention is no mere mean, norms and biases that do something."""
    for name, parameter in model.named_parameters():
        noise = torch.randn_like(parameter)
        is_norm = "norm" in name.lower() and name.endswith("weight")
        parameter.data = 1 + 0.2 * noise if is_norm else 0.3 * noise
        # Weights are kept in half precision; what is computed is computed with those.
        parameter.data = parameter.data.half().float()


def rows(model, tokenizer, inputs):
    """Logits of the inputs, all in one batch with padding."""
    encodings = [tokenizer.encode(*i) for i in inputs]
    longest = max(len(e.ids) for e in encodings)
    pad = model.config.pad_token_id
    padded = lambda values, fill: torch.tensor([v + [fill] * (longest - len(v)) for v in values])
    batch = dict(
        input_ids=padded([e.ids for e in encodings], pad),
        attention_mask=padded([e.attention_mask for e in encodings], 0),
    )
    if getattr(model.config, "type_vocab_size", 0) > 1:
        batch["token_type_ids"] = padded([e.type_ids for e in encodings], 0)
    with torch.no_grad():
        logits = model(**batch).logits
    return [
        {"text": i[0], "pair": i[1] if len(i) > 1 else None, "ids": e.ids, "types": e.type_ids, "logits": z}
        for i, e, z in zip(inputs, encodings, logits.tolist())
    ]


out = pathlib.Path(sys.argv[1])
golden = {}
for seed, (family, (tokenizer, cls, config)) in enumerate(FAMILIES.items()):
    torch.manual_seed(seed)
    config.vocab_size = tokenizer.get_vocab_size()
    config._attn_implementation = "eager"
    model = cls(config).eval()
    randomise(model)
    singles = [(s,) for s in SENTENCES]
    pairs = list(zip(SENTENCES, HYPOTHESES))
    golden[family] = rows(model, tokenizer, singles) + rows(model, tokenizer, pairs)
    if family == "modernbert":
        config.classifier_pooling = "cls"
        golden["modernbert, cls"] = rows(model, tokenizer, singles)
        config.classifier_pooling = "mean"
    model.half().save_pretrained(out / family)
    tokenizer.save(str(out / family / "tokenizer.json"), pretty=False)
    print(family, golden[family][2]["logits"], golden[family][3]["logits"])
json.dump(golden, open(out / "logits.json", "w"), indent=0)
