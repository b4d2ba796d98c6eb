"""Image classifier with everything that a long-lived training script collects over the years."""

import argparse
import glob
import os
import random
import time
from datetime import datetime

import numpy as np
import torch
import torch.backends.cudnn as cudnn
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms


class AverageMeter:
    def __init__(self, name):
        self.name = name
        self.reset()

    def reset(self):
        self.val = self.avg = self.sum = self.count = 0

    def update(self, val, n=1):
        self.val = val
        self.sum += val * n
        self.count += n
        self.avg = self.sum / self.count


class ImageList(Dataset):
    def __init__(self, root, transform=None):
        self.classes = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}
        self.samples = []
        for name in self.classes:
            folder = os.path.join(root, name)
            for file in sorted(os.listdir(folder)):
                self.samples.append((os.path.join(folder, file), self.class_to_idx[name]))
        self.transform = transform

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        path, target = self.samples[index]
        image = np.load(path)
        if random.random() < 0.5:
            image = np.fliplr(image)
        if self.transform is not None:
            image = self.transform(image)
        return image, target


def get_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("root")
    parser.add_argument("--seed", default=42, type=int)
    parser.add_argument("--epochs", default=90, type=int)
    parser.add_argument("-j", "--workers", default=4, type=int)
    parser.add_argument("-b", "--batch-size", default=256, type=int)
    parser.add_argument("--lr", default=0.1, type=float)
    parser.add_argument("--resume", action="store_true")
    return parser.parse_args()


def seed_everything(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.cuda.manual_seed_all(seed)
    cudnn.deterministic = True
    cudnn.benchmark = False


def find_checkpoint(folder):
    found = glob.glob(os.path.join(folder, "*.pt"))
    return max(found, key=os.path.getmtime) if found else None


def train(loader, model, optimizer, epoch, device):
    batch_time, data_time, losses = AverageMeter("time"), AverageMeter("data"), AverageMeter("loss")
    model.train()
    end = time.time()
    for i, (images, target) in enumerate(loader):
        data_time.update(time.time() - end)
        images, target = images.to(device, non_blocking=True), target.to(device, non_blocking=True)
        loss = F.cross_entropy(model(images), target)
        losses.update(loss.item(), images.size(0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        batch_time.update(time.time() - end)
        end = time.time()
        if i % 10 == 0:
            eta = batch_time.avg * (len(loader) - i)
            print(f"[{epoch}][{i}/{len(loader)}] {losses.avg:.3f} {batch_time.val:.3f}s eta {eta:.0f}s")
    return losses.avg


def main():
    args = get_args()
    seed_everything(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    run_dir = os.path.join("runs", datetime.now().strftime("%b%d_%H-%M-%S") + f"_{os.getpid()}")
    os.makedirs(run_dir, exist_ok=True)

    transform = transforms.Compose([transforms.ToTensor(), transforms.RandomCrop(32, padding=4)])
    data = ImageList(args.root, transform)
    loader = DataLoader(data, args.batch_size, shuffle=True, num_workers=args.workers, pin_memory=True)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(len(data.classes))).to(device)
    optimizer = torch.optim.SGD(model.parameters(), args.lr, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    if args.resume and find_checkpoint("runs"):
        model.load_state_dict(torch.load(find_checkpoint("runs")))

    started, best = time.time(), float("inf")
    for epoch in range(args.epochs):
        loss = train(loader, model, optimizer, epoch, device)
        scheduler.step(loss)
        if loss < best:
            best = loss
            torch.save(model.state_dict(), os.path.join(run_dir, f"best-{int(time.time())}.pt"))
        if time.time() - started > 24 * 3600:
            print("out of time")
            break
    print(f"done in {(time.time() - started) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
