package io.github.kdtf.books.engine;

/** A recommended book, and what the ranker predicts for it. */
public final class RankedBook {
    public final int id;

    /** The recommender's score. */
    public final float score;

    /** The probability of a click, or a rating; NaN where no ranker was asked. */
    public final double prediction;

    public RankedBook(ScoredBook book, double prediction) {
        id = book.id;
        score = book.score;
        this.prediction = prediction;
    }

    @Override
    public String toString() {
        return id + ": " + score + ", " + prediction;
    }
}
