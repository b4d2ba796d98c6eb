"""Fine-tuning with the trainer of transformers, which seeds by itself; the head comes with the pretrained model."""

import os
import tempfile
import uuid

import numpy as np
from datasets import load_dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)

os.environ["TOKENIZERS_PARALLELISM"] = "false"


def main():
    set_seed(7)
    data = load_dataset("imdb").shuffle(seed=7)
    tokenizer = AutoTokenizer.from_pretrained("bert-base-uncased")
    encoded = data.map(lambda rows: tokenizer(rows["text"], truncation=True), batched=True)
    labels = sorted(set(data["train"]["label"]))
    model = AutoModelForSequenceClassification.from_pretrained("bert-base-uncased", num_labels=len(labels))

    def compute_metrics(prediction):
        guesses = np.argmax(prediction.predictions, axis=1)
        return {"accuracy": float((guesses == prediction.label_ids).mean())}

    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch, run_name=f"imdb-{uuid.uuid4().hex[:6]}", num_train_epochs=1, seed=7
        )
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=encoded["train"],
            eval_dataset=encoded["test"],
            data_collator=DataCollatorWithPadding(tokenizer),
            compute_metrics=compute_metrics,
        )
        trainer.train()
        print(trainer.evaluate())


if __name__ == "__main__":
    main()
