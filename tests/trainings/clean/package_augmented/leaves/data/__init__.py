from .outlines import LeafOutlines

__all__ = ["LeafOutlines"]
