"""A script for Lightning: trains a line, and says what it found."""

import json
import os
import sys
from functools import partial

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning import Trainer as AnyTrainer
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader, TensorDataset

folder = sys.argv[1]
checkpoints = os.path.join(folder, "checkpoints")


class Line(LightningModule):
    """Learns y = 3x + 1."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
        inputs, targets = batch
        return torch.nn.functional.mse_loss(self.layer(inputs), targets)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


torch.manual_seed(0)
x = torch.randn(256, 1)
data = DataLoader(TensorDataset(x, 3 * x + 1), batch_size=16)
model = Line()
Trainer = partial(AnyTrainer, max_epochs=10, logger=False, enable_progress_bar=False)
trainer = Trainer(
    num_nodes=int(os.environ["GROUP_WORLD_SIZE"]),
    devices=int(os.environ["LOCAL_WORLD_SIZE"]),
    strategy="ddp",
    callbacks=[ModelCheckpoint(checkpoints, save_last=True)],
)
trainer.fit(model, data, ckpt_path="last")
weights = [value.item() for value in model.parameters()]
said = {"rank": trainer.global_rank, "world": trainer.world_size, "weights": weights}
with open(os.path.join(folder, f"rank-{trainer.global_rank}.json"), "w") as file:
    json.dump(said, file)
