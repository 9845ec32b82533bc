"""Figures to rely on: `make bench`. Each bench runs in a process of its own and prints its table.

python -m tests.bench              those that need nothing but minutes, in this order
python -m tests.bench loop epig    these
python -m tests.bench --list       what there is, and why some run only when they are named
"""

from __future__ import annotations

import difflib
import subprocess
import sys

BENCHES = {
    "start": "the start of commands with and without tensors: seconds and memory",
    "commands": "each command of a day on 10,000 and 100,000 image files: seconds and memory",
    "loop": "one turn of the loop on the bundled sample: seconds and memory",
    "evidence": "the prior precision of most evidence at the sizes of a ViT-B/32: seconds",
    "from_pool": "a posterior fitted without captions, against the one of captions",
    "posterior": "curvature and moments against their plain forms: ratios of seconds",
    "epig": "EPIG in draw space and by sampling against 20,000 joint draws: ranks and seconds",
    "adaptation": "learning from 200 and 2,000 labels: seconds",
    "prior": "what the prior that is chosen from labels is worth, on five models and data sets",
    "shifted": "the default where the model sees less, and with two classes: accuracy by labels",
    "acquisition": "a batch of 50 from 100,000 images, beside other libraries: seconds and memory",
    "simulation": "where a simulation's time goes, and what a second process gains",
    "statistics": "coverage of intervals and false positives of tests, where the truth is known",
    "near_duplicates": "which copies of test images are found in a pool, and how many by chance",
    "near_copies": "which cosine means a near-copy: copies found, and images without one",
    "lure": "accuracy estimated from chosen labels, where the truth is known",
    "calibration": "calibration of the zero-shot model and of learners on the bundled sample",
    "conformal": "how often sets of likely classes hold the class, at random and where a strategy chose",
    "temperature": "what a temperature from few or chosen labels is worth, where the truth is known",
    "audit_size": "how many random labels a temperature needs, on the bundled sample",
    "transfer": "a temperature carried from one data set, or half of the classes, to another",
    "renditions": "renditions of 12-megapixel pictures: CPU, bytes, distance from the full picture",
    "relabelling": "whether a review or a new label teaches the model more, and what is advised",
    "label_errors": "planted label errors: precision and recall of rules that look for them",
    "prompts": "whether ATFD tells which prompt templates are well calibrated, on the bundled sample",
}
ALONE = {
    "engines": "curvature and scores on the local engine and on two Ray nodes; needs Ray, takes minutes",
    "growth": "recording, leasing and opening with up to a million images: milliseconds; takes minutes",
    "killed_writer": "answers of four people while their writer is killed 200 times; takes minutes",
    "device": "encoding, scoring, choosing and learning on a GPU beside the CPU: needs a GPU",
    "desks": "next picture and durable answer with 1, 4 and 8 real browsers: needs Chromium, takes minutes",
    "pages": "how long each page takes to open with 100,000 images: makes the project; Chromium, minutes",
    "server_memory": "memory of the server over 5,000 labels from 8 people; takes minutes",
    "gallery": "lists, acts and the grid with 100,000 images: makes the project, takes minutes; Chromium",
    "large_pool": "learning beside 100,000 and a million images: makes the projects and takes minutes",
    "encoding": "which bounds encoding, decoding or the tower: images/s and the share of waiting",
    "laptop": "half a million to two million images: every step beside cosine logits; takes an hour",
    "cards": "the card of one of 100,000 images: makes the project and takes minutes",
    "desk_pictures": "key press to the next picture with 12-megapixel files; needs Chromium",
    "pictures": "a folder of pictures through import and encode: counts, seconds, memory; needs a folder",
    "pool": "scores one and two million images: writes 3 GB of features and takes minutes",
    "stopping": "the adviser's past error on every collection: makes and encodes them first",
    "choosing": "what the default saves: reads a folder of finished simulations, which it is given",
    "learners": "what the pool teaches: reads features files and encodes collections; takes long",
    "calibrated_learners": "what calibrates the default learner; reads what `learners` does, takes long",
    "pool_recipe": "the parts of the pool-taught learner, each changed alone; takes half an hour",
    "tuning": "prompt tuning: seconds against the published way, and calibration; takes minutes",
    "prepared": "what a round ranked from 80 % of the answers before it costs in accuracy; takes minutes",
    "answers": "how long an answer waits while a round of 1,000 labels closes: milliseconds",
    "map": "100,000 images on a map: seconds of the principal axes, and how evenly Chromium draws them",
    "hindsight": "how far selection could go if all classes were known; takes minutes",
}
"""Those that run only when they are named, and why."""


def main(words: list[str]) -> None:
    if words == ["--list"]:
        for heading, benches in (("make bench", BENCHES), ("only when named", ALONE)):
            print(heading)
            print("\n".join(f"  {name:15s} {what}" for name, what in benches.items()))
        return
    known = [*BENCHES, *ALONE]
    for name in words:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            sys.exit(f"There is no bench {name!r}. Known are {', '.join(near or known)}.")
    for name in words or BENCHES:
        subprocess.run([sys.executable, "-m", f"tests.bench.{name}"], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
