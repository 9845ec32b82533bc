"""Fine-tuning of both projections as few-shot papers do it: no posterior, early stopping by a fixed count.

Dimensions used in this file
    n  labelled images
    C  classes
"""

from __future__ import annotations

import torch
from torch.nn.functional import log_softmax

from alworkbench.adaptation.learner import Learner, Predictor
from alworkbench.adaptation.method import Lesson, Settings, adaptation
from alworkbench.adaptation.projections import moved_head
from alworkbench.encoders.head import Head


@adaptation(
    "fine-tuning", "AdamW on both projections, without the posterior, a fixed number of steps"
)
def fine_tuning(learner: Learner, lesson: Lesson, settings: Settings) -> Predictor:
    """Minimise the weighted mean cross-entropy with AdamW, full batch, float64.

    `settings.epochs` steps of `settings.learning_rate` times each projection's root mean square entry,
    annealed by a cosine, with decoupled weight decay; nothing is drawn at random and nothing is
    validated, so the number of steps is the regulariser. Loshchilov & Hutter, 2019, arXiv:1711.05101;
    the comparison of Baumann et al., arXiv:2412.06014, who also tune the projections.
    """
    head = learner.model.double().head
    names = learner.class_activations.double()
    image = head.image_projection.clone().requires_grad_()
    text = head.text_projection.clone().requires_grad_()
    optimiser = torch.optim.AdamW(
        [
            {
                "params": [matrix],
                "lr": settings.learning_rate * float(matrix.detach().square().mean().sqrt()),
            }
            for matrix in (image, text)
        ],
        weight_decay=settings.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.epochs)
    total = lesson.weights.sum()
    for _ in range(settings.epochs):
        optimiser.zero_grad()
        moved = Head(image, text, head.logit_scale, head.logit_bias, head.loss)
        logits = moved.logits(lesson.labelled, names)
        errors = -(lesson.targets * log_softmax(logits, dim=-1)).sum(dim=-1)
        ((lesson.weights * errors).sum() / total).backward()
        optimiser.step()
        schedule.step()
    return moved_head(learner, image.detach(), text.detach())
