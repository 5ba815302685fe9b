package io.github.kdtf.books.readinglists;

/** A file that is not read as a reading list. */
public final class ReadingListException extends Exception {
    private static final long serialVersionUID = 1;

    /** Why; screens have a sentence for each. */
    public enum Reason {
        TOO_LARGE,
        ENCODING,
        UNCLOSED_QUOTE,
        DAMAGED_BACKUP,
        NO_TITLE_COLUMN,
        NO_ROWS,
        /** The file could not be read at all. */
        UNREADABLE
    }

    public final Reason reason;

    public ReadingListException(Reason reason) {
        super(reason.toString());
        this.reason = reason;
    }
}
