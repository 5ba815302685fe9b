"""A teacher that reads a history by its content, and learnt to from who read what."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from scipy import sparse

from kd_tf.backend import keras, tf
from kd_tf.data.features.content import ContentFeatures, FeatureBlock
from kd_tf.errors import UserError
from kd_tf.layers.id_ops import deduplicate
from kd_tf.models.additive import compute_popularity_prior
from kd_tf.models.closed_form.fit import ClosedFormFit
from kd_tf.models.content.item_mixtures import ItemMixtures, choose_reference_items
from kd_tf.models.content.kernel import subtract_mean
from kd_tf.models.content.tower import embed_blocks, train_tower
from kd_tf.models.low_rank import LowRankModel
from kd_tf.models.teachers.content import get_content
from kd_tf.models.training_data import TrainingData

PRIOR_STRENGTH = 1e-4
"""The prior of the most popular item: only breaks ties between items unlike the history."""


@keras.saving.register_keras_serializable(package="kd_tf")
class ContentTowerTeacher(ClosedFormFit, LowRankModel):
    """Scores items by embeddings of their content, trained on who read what.

    Text and image encoders do not know which books people read one after another. The tower is a
    last layer on top of them, and on counted words, that learns it (`kd_tf.models.content.tower`).
    A history is the sum of the embeddings of its items: it is read by its content too, so that
    items without readers and histories of such items score like all others.

    What was learnt for pretrained encoders holds for every catalog: `transfer_to` gives the items
    of another one their embeddings as a block of content, for its own teachers.

    Args:
        embedding_dim: d.
        spaces: `FeatureBlock.space` and name of each block whose head can be transferred, and the
            width of its vectors. Given where a model is loaded.
        **kwargs: As for `LowRankModel`.

    Example:
        >>> import kd_tf as kd
        >>> data = kd.data.encode_items(kd.data.bookshop(items=60, users=80, seed=1))
        >>> split = kd.split(data, "cold-items", seed=1)
        >>> teacher = kd.models.ContentTowerTeacher(split.num_items, max_length=20, embedding_dim=8)
        >>> history = teacher.fit(split.train, validation_data=split.validation)
        >>> kd.evaluate(teacher, split.test.select_cold_items())["ndcg@10"] > 0.2
        True
    """

    def __init__(
        self,
        num_items: int,
        *,
        embedding_dim: int = 256,
        spaces: tuple[tuple[str, str, int], ...] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(num_items, embedding_dim=embedding_dim, **kwargs)
        self._create_heads(tuple((space, name, int(width)) for space, name, width in spaces))

    def _create_heads(self, spaces: tuple[tuple[str, str, int], ...]) -> None:
        """Creates the weights of the heads that can be transferred, or replaces them."""
        for number in range(len(getattr(self, "spaces", ()))):
            delattr(self, f"head_{number}")
        self.spaces = spaces
        for number, (_, _, width) in enumerate(spaces):
            head = self.add_weight(
                name=f"head_{number}",
                shape=(width, self.embedding_dim),
                initializer="zeros",
                trainable=False,
            )
            setattr(self, f"head_{number}", head)

    def solve(self, data: TrainingData) -> None:
        """Trains the tower on the items with readers, and embeds all items.

        Raises:
            UserError: No item with readers has any content, or no user has read two of them.
        """
        train = data.train
        content = get_content(data)
        popularity = train.popularity()
        items = choose_reference_items(content, popularity)  # every step scores all of them
        matrix = sparse.csr_array(train.to_csr_matrix(self.num_items)[:, items])
        if not (np.diff(matrix.indptr) >= 2).any():
            raise UserError("no user has read two items with any text or image")
        blocks = [subtract_mean(block.vectors, items - 1) for block in content.blocks]
        heads = train_tower(
            [block[items - 1] for block in blocks],
            matrix,
            embedding_dim=self.embedding_dim,
            seed=train.seed,
            progress=data.progress,
        )
        factors = np.zeros((self.num_items + 1, self.embedding_dim), np.float32)
        factors[1:] = embed_blocks(blocks, heads)
        self.assign(factors, factors)
        self.prior.assign(compute_popularity_prior(popularity, PRIOR_STRENGTH))
        places = [number for number, block in enumerate(content.blocks) if block.space]
        self._create_heads(
            tuple(
                (content.blocks[n].space, content.blocks[n].name, int(heads[n].shape[0]))
                for n in places
            )
        )
        for place, number in enumerate(places):
            getattr(self, f"head_{place}").assign(heads[number])

    def transfer_to(self, content: ContentFeatures, name: str = "transferred") -> ContentFeatures:
        """Embeds the items of another catalog, as one more block of their content.

        Blocks of the same pretrained encoder are mapped by the head that was trained for them: by
        that of the block with the same name, or else of the first block of the encoder.

        Args:
            content: What the items of the other catalog are about.
            name: Name of the new block.

        Raises:
            UserError: No block comes from an encoder that this teacher has a head for.
        """
        blocks, heads = [], []
        all_rows = np.arange(len(content))
        for block in content.blocks:
            places = [n for n, (space, _, _) in enumerate(self.spaces) if space == block.space]
            if not block.space or not places:
                continue
            place = next((n for n in places if self.spaces[n][1] == block.name), places[0])
            blocks.append(subtract_mean(block.vectors, all_rows))
            heads.append(getattr(self, f"head_{place}").numpy())
        if not blocks:
            names = ", ".join(dict.fromkeys(name for _, name, _ in self.spaces)) or "none"
            raise UserError(
                "nothing can be transferred: the two catalogs share no pretrained encoder "
                f"(there {names}; here {content.describe()})",
                hint="Encode both with the same --encoder, for example static or multilingual.",
            )
        new_block = FeatureBlock(name, embed_blocks(blocks, heads))
        return dataclasses.replace(content, blocks=(*content.blocks, new_block))

    def item_embeddings(self) -> tf.Tensor:
        return tf.convert_to_tensor(self.output_factors)

    def user_embeddings(self, history: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the sums of the embeddings of the histories' items, float32 [B, d]."""
        ids = deduplicate(self.mask_unknown_ids(history))
        # Row 0, of padding, is zero.
        return tf.reduce_sum(tf.gather(self.input_factors, ids), axis=1)

    def mix_items(self, mixtures: ItemMixtures) -> None:
        """Does nothing: new items have an embedding here as all others have."""

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "spaces": [list(space) for space in self.spaces]}
