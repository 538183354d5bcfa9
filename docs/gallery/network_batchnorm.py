"""Networks with batch normalisation, trained by SGD in PyTorch, beside the features model and under the copy law (extra ``torch``)."""

from itertools import product
from pathlib import Path

import numpy as np

import mdtheory as mdt
from mdtheory import phase
from mdtheory.networks.protocol import Split, digits

WEIGHT_DECAY, NOISES, SMOOTHINGS, SEEDS = 1e-3, (0.0, 0.05, 0.1, 0.2, 0.3), (0.0, 0.1), 3
COLOURS = {0.0: "#1F5F99", 0.1: "#B35C00"}


def trained(split: Split, labels: np.ndarray, smoothing: float, seed: int, epochs: int) -> mdt.Measurement:
    """One network after SGD with momentum and a cosine schedule, measured in evaluation mode."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    body = nn.Sequential(
        *(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU()),
        *(nn.Linear(32, 8), nn.BatchNorm1d(8), nn.ReLU()),
    )
    head = nn.Linear(8, 2, bias=False)
    net = nn.Sequential(body, head)
    x, y = torch.tensor(split.inputs, dtype=torch.float32), torch.tensor(labels)
    # The optimiser adds a multiple of W to the gradient: twice the decay.
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=2 * WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    loss = nn.CrossEntropyLoss(label_smoothing=smoothing)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            loss(net(x[batch]), y[batch]).backward()
            optimiser.step()
        schedule.step()
    net.eval()
    with torch.no_grad():
        features, unseen = body(x), body(torch.tensor(split.test_inputs, dtype=torch.float32))
    return mdt.measure(
        features.double(),
        labels,
        split.labels,
        head.weight.detach().double(),
        test_features=unseen.double(),
        test_labels=split.test_labels,
        loss=mdt.CrossEntropy(smoothing),
        weight_decay=WEIGHT_DECAY,
    )


def main(output: Path, size: int) -> None:
    """Draw networks after so many epochs."""
    x, y = digits()
    with phase.style():
        left, right = phase.panels(1, 2, width="two-columns", height=2.8)[0]
        for smoothing, noise, seed in product(SMOOTHINGS, NOISES, range(SEEDS)):
            split = Split.of(x, y, 0.35, np.random.default_rng([seed, 0]))
            labels = split.flipped(noise, np.random.default_rng([seed, 1]))
            found = trained(split, labels, smoothing, seed, size)
            ratio = mdt.compare(found).quantities["margin"]
            style = {"color": COLOURS[smoothing], "markersize": 3, "alpha": 0.7}
            first = noise == NOISES[0] and seed == 0
            name = f"label smoothing {smoothing}" if smoothing else "cross-entropy"
            left.plot(found.noise, ratio.measured / ratio.predicted, "o", label=name if first else None, **style)
            if noise:
                share = found.noise / (1 + found.noise)
                moved = share * (found.memorization / found.mean_distance) ** 2
                right.plot(moved, found.normalized_dilation**2, "o", **style)
        left.axhline(1.0, color="0.6", linewidth=1)
        left.set_xlabel(r"noise $\eta$")
        left.set_ylabel("margin, measured over predicted")
        left.legend()
        right.set_xlabel(r"$p(\rho/D)^2$")
        right.set_ylabel(r"ND$^2$")
        phase.save(left, output, dpi=220)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"), 400)
