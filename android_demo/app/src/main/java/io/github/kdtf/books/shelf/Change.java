package io.github.kdtf.books.shelf;

/** The last thing that a reader did to the shelf, for as long as it can be undone. */
public final class Change {
    public enum Kind { ADDED, IMPORTED, REMOVED, HIDDEN, SHOWN }

    public final Kind kind;
    public final int count;

    /** Of the only book, or of one of several. */
    public final String name;

    Change(Kind kind, int count, String name) {
        this.kind = kind;
        this.count = count;
        this.name = name;
    }
}
