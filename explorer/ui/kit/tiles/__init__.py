"""A grid of small images with words below them, each of which can be clicked."""

from explorer.ui.kit.tiles.component import Note, Tile, tiles

__all__ = ["Note", "Tile", "tiles"]
