"""The posterior's hot paths against stated baselines, in one run: ratios, not seconds, are the claim.

Curvature: the summed form against the per-example form (each J^T Lambda J formed as a product), both
in float32. Moments: all means and variances of N x C logits, given what belongs to the images alone,
against plain cosine logits, and against the per-pair form (a quadratic form for every pair).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from alworkbench.encoders.head import Head
from alworkbench.posterior.curvature import KroneckerFactors, infonce_curvature
from alworkbench.posterior.kronecker import KroneckerPosterior, Posterior
from alworkbench.posterior.predictive import CosineMoments, ImageSpread

SCALE = 100.0


def seconds(*works: Callable[[], object], repeats: int = 5) -> list[float]:
    """The quickest run of each, taken in turns after one to warm up: load hits all of them alike."""
    times: list[list[float]] = [[] for _ in works]
    for turn in range(repeats + 1):
        for work, own in zip(works, times, strict=True):
            began = time.perf_counter()
            work()
            if turn:
                own.append(time.perf_counter() - began)
    return [min(own) for own in times]


def per_example(sources: Tensor, targets: Tensor) -> Tensor:
    """sum_i J_i^T Lambda_i J_i with J_i formed: O(N C D^2)."""
    units = targets / targets.norm(dim=-1, keepdim=True)
    total = torch.zeros(sources.shape[1], sources.shape[1])
    for source in sources:
        norm = source.norm()
        unit = source / norm
        cosines = units @ unit
        p = (SCALE * cosines).softmax(dim=-1)
        jacobian = (SCALE / norm) * (units - torch.outer(cosines, unit))
        weighed = p[:, None] * jacobian
        mean = weighed.sum(dim=0)
        total += jacobian.T @ weighed - torch.outer(mean, mean)
    return total


def curvature_table(console: Console) -> None:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    size, classes, images = 512, 4096, 4096
    sources, targets = normal(images, size), normal(classes, size)
    few = sources[:8]
    baseline, ours = seconds(
        lambda: per_example(few, targets), lambda: infonce_curvature(sources, targets, SCALE)
    )
    baseline, ours = baseline / len(few), ours / images
    found = infonce_curvature(few, targets, SCALE)
    wanted = per_example(few.double(), targets.double())
    error = float((found - wanted).norm() / wanted.norm())
    console.print(
        f"Curvature at D = {size}, C = {classes}: {1e3 * baseline:.2f} ms an image by the per-example "
        f"form, {1e3 * ours:.3f} ms summed: {baseline / ours:.0f} times; relative error {error:.1e}"
    )
    table = Table(title="Growth of the summed form when one size is doubled", box=None)
    for heading in ("doubled", "times the seconds"):
        table.add_column(heading)
    for name, (n, c, d) in {
        "N": (2 * images, classes, size),
        "C": (images, 2 * classes, size),
        "D": (images, classes, 2 * size),
    }.items():
        more, against = normal(n, d), normal(c, d)
        one, two = seconds(
            lambda: infonce_curvature(sources, targets, SCALE),
            lambda more=more, against=against: infonce_curvature(more, against, SCALE),  # type: ignore[misc]
            repeats=3,
        )
        table.add_row(name, f"{two / one:.2f}")
    console.print(table)


def moments_table(console: Console) -> None:
    generator = torch.Generator().manual_seed(1)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    images, classes, size_p, size_d = 100_000, 100, 768, 512
    head = Head(normal(size_d, size_p) / 28, normal(size_d, size_d) / 22, SCALE)
    posterior = Posterior(
        _posterior(head.image_projection, normal), _posterior(head.text_projection, normal), "bench"
    )
    activations, prompts = normal(images, size_p), normal(classes, size_d)
    embeddings = activations @ head.image_projection.T
    spread = ImageSpread.of(posterior, activations, embeddings)
    (once,) = seconds(lambda: ImageSpread.of(posterior, activations, embeddings), repeats=2)
    prepared = CosineMoments.prepare(head, posterior, prompts)
    texts = head.embed_texts(prompts)

    def cosines() -> Tensor:
        units = embeddings / embeddings.norm(dim=-1, keepdim=True)
        return SCALE * units @ (texts / texts.norm(dim=-1, keepdim=True)).T

    few = 2000
    s = posterior.image.embedding_covariance().float()
    s_text = posterior.text.embedding_covariance().float()
    beta = posterior.text.quadratic(prompts)

    def per_pair() -> Tensor:
        """The variance of every pair as a quadratic form of its own covariance."""
        rows = []
        for mu, alpha in zip(embeddings[:few].split(50), spread.alpha[:few].split(50), strict=True):
            through = (mu @ s_text * mu).sum(dim=-1)  # n
            own = torch.einsum("cd,nde,ce->nc", texts, alpha[:, None, None] * s, texts)
            rows.append(torch.outer(through, beta) + own)
        return torch.cat(rows)

    plain, ours = seconds(cosines, lambda: prepared.of(embeddings, spread), repeats=9)
    pairs = seconds(per_pair, repeats=2)[0] * images / few
    table = Table(
        title=f"{images:,} images x {classes} classes, D = {size_d}", box=None, title_justify="left"
    )
    for heading in ("what", "seconds", "times plain cosines"):
        table.add_column(heading)
    table.add_row("plain cosine logits", f"{plain:.3f}", "1.00")
    table.add_row("means and variances", f"{ours:.3f}", f"{ours / plain:.2f}")
    table.add_row(f"per-pair form (from {few} images)", f"{pairs:.2f}", f"{pairs / plain:.1f}")
    table.add_row("once per posterior: alpha and mu S' mu", f"{once:.3f}", "")
    console.print(table)


def _posterior(mean: Tensor, normal: Callable[..., Tensor]) -> KroneckerPosterior:
    size_d, size_p = mean.shape
    a, b = normal(2 * size_p, size_p).double(), normal(2 * size_d, size_d).double()
    return KroneckerPosterior.from_factors(mean, KroneckerFactors(a.T @ a, b.T @ b, 10_000))


def main() -> None:
    console = Console(width=110)
    console.print(f"{torch.get_num_threads()} threads")
    curvature_table(console)
    moments_table(console)


if __name__ == "__main__":
    main()
