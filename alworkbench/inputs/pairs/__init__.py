"""Image-caption pairs from a CSV, a Parquet file or webdataset tars: one stream for all formats.

    CSV         columns image (a path, relative to the file) and caption, in UTF-8
    Parquet     columns image (paths as above, or encoded pictures as bytes) and caption
    tar         webdataset: members KEY.jpg, .jpeg, .png or .webp beside KEY.txt; one file, several
                by a pattern ('shards/*.tar'), or a folder of them; gzip, bzip2 and xz too

Files are often sorted by class, and a batch of one class gives contrasts that training never saw. So
pairs come in a random order that the seed fixes. A CSV, and a Parquet file with paths, is read by row
number: the order is a permutation of all rows. Pictures inside a file (tar, Parquet with bytes) are
read as a stream: up to `INTERLEAVED` parts (tars, row groups; in random order) are open at once, and
their pairs pass a buffer of `BUFFER_PAIRS`, which a random pair leaves next. A long sorted part is
mixed only within the buffer, so write a sorted collection as many tars.

Nothing is unpacked to the disk. An entry that is not a pair (an empty or over-long caption, a missing
picture or caption, a link, a member of another kind or of absurd size) is left out and counted.
"""

from alworkbench.inputs.pairs.opening import open_pairs
from alworkbench.inputs.pairs.source import Pair, PairSource

__all__ = ["Pair", "PairSource", "open_pairs"]
