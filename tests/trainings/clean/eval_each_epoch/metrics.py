import torch


def confusion(predicted, actual, classes):
    return torch.bincount(actual * classes + predicted, minlength=classes * classes).view(classes, classes)


def macro_f1(matrix):
    hits = matrix.diag().float()
    precision = hits / matrix.sum(dim=0).clamp(min=1)
    recall = hits / matrix.sum(dim=1).clamp(min=1)
    return (2 * precision * recall / (precision + recall).clamp(min=1e-9)).mean().item()
