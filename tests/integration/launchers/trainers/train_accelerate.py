"""A script for accelerate, as it is written for one GPU or many: trains a line, and says what it found."""

import json
import os
import sys

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader, TensorDataset

accelerator = Accelerator()
torch.manual_seed(0)
x = torch.randn(256, 1)
model = torch.nn.Linear(1, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
data = DataLoader(TensorDataset(x, 3 * x + 1), batch_size=16)
model, optimizer, data = accelerator.prepare(model, optimizer, data)
for _ in range(10):
    for inputs, targets in data:
        optimizer.zero_grad()
        accelerator.backward(torch.nn.functional.mse_loss(model(inputs), targets))
        optimizer.step()
weights = [value.item() for value in accelerator.unwrap_model(model).parameters()]
said = {"rank": accelerator.process_index, "world": accelerator.num_processes, "weights": weights}
with open(os.path.join(sys.argv[1], f"rank-{accelerator.process_index}.json"), "w") as file:
    json.dump(said, file)
accelerator.wait_for_everyone()
accelerator.end_training()
