"""One spelling for words that mean one thing, so that LLM, LLMs and Large Language Models are found as one."""

import re
import unicodedata
from functools import lru_cache

# What a field writes in two ways: the short form, and the words it stands for. Only forms that mean nothing else in
# papers of machine learning stand here.
LONG_FORMS = {
    "ai": "artificial intelligence",
    "asr": "automatic speech recognition",
    "cnn": "convolutional neural network",
    "cot": "chain of thought",
    "dit": "diffusion transformer",
    "dpo": "direct preference optimization",
    "finetune": "fine tune",
    "finetuned": "fine tuned",
    "finetuning": "fine tuning",
    "gan": "generative adversarial network",
    "gnn": "graph neural network",
    "grpo": "group relative policy optimization",
    "gui": "graphical user interface",
    "icl": "in context learning",
    "llm": "large language model",
    "lvlm": "large vision language model",
    "mllm": "multi modal large language model",
    "ml": "machine learning",
    "moe": "mixture of expert",
    "multiagent": "multi agent",
    "multimodal": "multi modal",
    "nlp": "natural language processing",
    "ocr": "optical character recognition",
    "posttraining": "post training",
    "pretrained": "pre trained",
    "pretraining": "pre training",
    "rag": "retrieval augmented generation",
    "rl": "reinforcement learning",
    "rlhf": "reinforcement learning from human feedback",
    "rlvr": "reinforcement learning with verifiable reward",
    "sft": "supervised fine tuning",
    "slm": "small language model",
    "ssm": "state space model",
    "t2i": "text to image",
    "t2v": "text to video",
    "tts": "text to speech",
    "vae": "variational autoencoder",
    "vla": "vision language action",
    "vlm": "vision language model",
    "vqa": "visual question answering",
}
# Words that end in s and are no plurals of what is left without it.
SINGULAR = frozenset({"alas", "always", "atlas", "bias", "canvas", "lens", "news", "perhaps", "towards", "whereas"})
SHORTEST_PLURAL = 4  # letters: `gas` and `ms` stay
ACCENTS = "[\u0300-\u036f]"  # of Latin, Greek and Cyrillic letters, once they stand apart from these


def fold(text: str) -> str:
    """Return a text as its words, one space before and after each: case, accents, hyphens, plurals, long forms folded.

    A phrase stands in a text as whole words exactly if its folded form is a part of the folded text.
    """
    plain = text if text.isascii() else re.sub(ACCENTS, "", unicodedata.normalize("NFKD", text))
    words = " ".join(map(_folded, re.findall(r"[^\W_]+(?:\+\+|#)?", plain.casefold())))
    return f" {words} " if words else ""


@lru_cache(maxsize=1 << 16)
def _folded(word: str) -> str:
    singular = _singular(word)
    return LONG_FORMS.get(singular, singular)


def _singular(word: str) -> str:
    """Return an English word without its plural ending; the same for both forms is what counts, not the right one."""
    if len(word) < SHORTEST_PLURAL or not word.endswith("s") or word.endswith(("ss", "us", "is")) or word in SINGULAR:
        return word
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-2] if word.endswith(("xes", "ches", "shes", "sses", "zes")) else word[:-1]
