"""Loads, cleans and splits interactions, and draws training examples from them.

Example:
    >>> import kd_tf as kd
    >>> data = kd.data.bookshop(items=60, users=80, seed=1)
    >>> data.interactions.num_users, len(data.catalog)
    (80, 60)
"""

from kd_tf.extras import require_modules
from kd_tf.lazy import make_lazy_attributes

require_modules("polars", "scipy")

__getattr__, __dir__, __all__ = make_lazy_attributes(
    __name__,
    {
        "read_csv": "kd_tf.data.sources.csv_files:read_csv",
        "from_dataframe": "kd_tf.data.sources.dataframe:read_dataframe",
        "read_ranking_split": "kd_tf.data.ranking.read_ranking:read_ranking_split",
        "FeatureOptions": "kd_tf.data.ranking.fit_schema:FeatureOptions",
        "encode_texts": "kd_tf.data.ranking.encode_texts:encode_texts",
        "bookshop": "kd_tf.data.synthetic.bookshop:make_bookshop",
        "goodbooks": "kd_tf.data.sources.goodbooks:read_goodbooks",
        "movielens": "kd_tf.data.sources.movielens:read_movielens",
        "book_crossing": "kd_tf.data.sources.book_crossing:read_book_crossing",
        "amazon_reviews": "kd_tf.data.sources.amazon_reviews:read_amazon_reviews",
        "netflix_prize": "kd_tf.data.sources.netflix_prize:read_netflix_prize",
        "gowalla": "kd_tf.data.sources.gowalla:read_gowalla",
        "join_friends": "kd_tf.data.sources.friend_tables:join_friends",
        "join_items": "kd_tf.data.sources.item_tables:join_item_table",
        "encode_items": "kd_tf.data.features.encode:encode_items",
        "user_item_lists": "kd_tf.data.sources.user_item_lists:read_user_item_lists",
    },
)
