package io.github.kdtf.books.goodreads;

/** A file that is not read as a Goodreads library export. */
public final class GoodreadsException extends Exception {
    private static final long serialVersionUID = 1;

    /** Why; screens have a sentence for each. */
    public enum Reason {
        TOO_LARGE,
        ENCODING,
        UNCLOSED_QUOTE,
        NO_TITLE_COLUMN,
        NO_ROWS,
        /** The file could not be read at all. */
        UNREADABLE
    }

    public final Reason reason;

    public GoodreadsException(Reason reason) {
        super(reason.toString());
        this.reason = reason;
    }
}
