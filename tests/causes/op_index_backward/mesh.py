from torch import nn


class Mesh(nn.Module):
    """Corners that can move, and triangles between them."""

    def __init__(self, corners, triangles):
        super().__init__()
        self.corners = nn.Parameter(corners)
        self.register_buffer("triangles", triangles)

    def forward(self):
        """Return the area of each triangle."""
        a, b, c = self.corners[self.triangles].unbind(1)
        u, v = b - a, c - a
        return 0.5 * (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]).abs()
