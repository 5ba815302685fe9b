package io.github.kdtf.books.engine;

/** A book by its model id, and a figure of the model: its score, or what it adds to one. */
public final class ScoredBook {
    public final int id;
    public final float score;

    public ScoredBook(int id, float score) {
        this.id = id;
        this.score = score;
    }

    @Override
    public String toString() {
        return id + ": " + score;
    }
}
