package io.github.kdtf.books.readinglists;

import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** The columns of a service's export, by which files are told apart. Names are in lower case. */
public enum ReadingListFormat {
    GOODREADS("Goodreads", signatures("exclusive shelf", "author l-f", "book id & my rating"),
            columns()
                    .with(Field.AUTHOR, "author")
                    .with(Field.MORE_AUTHORS, "additional authors")
                    .with(Field.ISBNS, "isbn13", "isbn")
                    .with(Field.RATING, "my rating")
                    .with(Field.SHELF, "exclusive shelf")
                    .with(Field.TAGS, "bookshelves")
                    .with(Field.FINISHED, "date read")
                    .with(Field.ADDED, "date added")
                    .with(Field.READ_COUNT, "read count")),
    STORYGRAPH("StoryGraph", signatures("isbn/uid", "read status & star rating"),
            columns()
                    .with(Field.AUTHOR, "authors")
                    .with(Field.MORE_AUTHORS, "contributors")
                    .with(Field.ISBNS, "isbn/uid")
                    .with(Field.RATING, "star rating")
                    .with(Field.SHELF, "read status")
                    .with(Field.TAGS, "tags")
                    .with(Field.FINISHED, "last date read", "dates read")
                    .with(Field.ADDED, "date added")
                    .with(Field.READ_COUNT, "read count")),
    LIBRARYTHING("LibraryThing", signatures("primary author"),
            columns()
                    .with(Field.AUTHOR, "primary author")
                    .with(Field.MORE_AUTHORS, "secondary author")
                    .with(Field.ISBNS, "isbns", "isbn")
                    .with(Field.RATING, "rating")
                    .with(Field.SHELF, "collections")
                    .with(Field.TAGS, "tags")
                    .with(Field.FINISHED, "date read")
                    .with(Field.STARTED, "date started")
                    .with(Field.ADDED, "entry date")),
    CALIBRE("Calibre", signatures("author_sort", "title_sort", "series_index", "library_name"),
            columns()
                    .with(Field.AUTHOR, "authors")
                    .with(Field.ISBNS, "isbn")
                    .with(Field.RATING, "#my_rating", "#myrating", "rating")
                    // Calibre does not keep what was read: people add columns, and these are their
                    // usual names.
                    .with(Field.SHELF, "#read", "#read_status", "#readstatus", "#reading_status",
                            "#status")
                    .with(Field.TAGS, "tags")
                    .with(Field.FINISHED, "#date_read", "#dateread", "#read_date", "#readdate",
                            "#last_read", "#date_finished", "#finished")
                    .with(Field.ADDED, "timestamp")),
    BOOKWYRM("BookWyrm", signatures("author_text"),
            columns()
                    .with(Field.AUTHOR, "author_text")
                    .with(Field.ISBNS, "isbn_13", "isbn_10")
                    .with(Field.RATING, "rating")
                    .with(Field.SHELF, "shelf")
                    .with(Field.FINISHED, "finish_date")
                    .with(Field.STARTED, "start_date")
                    .with(Field.STOPPED, "stopped_date")
                    .with(Field.ADDED, "shelf_date")),
    OPENREADS("Openreads", signatures("readings", "book_format", "olid"),
            columns()
                    .with(Field.AUTHOR, "author")
                    .with(Field.ISBNS, "isbn")
                    .with(Field.RATING, "rating")
                    .with(Field.SHELF, "status")
                    .with(Field.TAGS, "tags")
                    .with(Field.FINISHED, "readings", "finish_date")
                    .with(Field.STARTED, "start_date")
                    .with(Field.ADDED, "date_added")),
    OPENLIBRARY("Open Library", signatures("work id & bookshelf"),
            columns()
                    .with(Field.AUTHOR, "authors")
                    .with(Field.RATING, "my ratings")
                    .with(Field.SHELF, "bookshelf")),

    /** Tables of other services, and those that people write themselves. */
    TABLE(null, signatures(),
            columns()
                    .with(Field.AUTHOR, "author", "authors", "author(s)", "creator", "creators")
                    .with(Field.MORE_AUTHORS, "additional authors", "contributors")
                    .with(Field.ISBNS, "isbn13", "isbn-13", "isbn_13", "isbn", "isbn10",
                            "isbn-10", "isbn_10")
                    .with(Field.RATING, "my rating", "my ratings", "star rating", "rating")
                    .with(Field.SHELF, "exclusive shelf", "read status", "reading status",
                            "status", "shelf", "bookshelf")
                    .with(Field.TAGS, "bookshelves", "tags")
                    .with(Field.FINISHED, "date read", "last date read", "date finished",
                            "finish date", "date_read", "date_finished", "finish_date",
                            "finished", "read_at")
                    .with(Field.STARTED, "date started", "start date", "date_started",
                            "start_date", "started")
                    .with(Field.ADDED, "date added", "date_added", "added", "created on")
                    .with(Field.READ_COUNT, "read count"));

    /**
     * What columns hold. Of several the first with any content counts; of authors beside the first,
     * ISBNs and tags all do.
     */
    enum Field {
        AUTHOR,
        MORE_AUTHORS,
        ISBNS,
        RATING,
        /** Says whether the book was read. */
        SHELF,
        /** May say that it was not, where services have no shelf for this. */
        TAGS,
        FINISHED,
        STARTED,
        STOPPED,
        ADDED,
        READ_COUNT
    }

    /** The service's own name; null for a table of no service. */
    public final String service;

    private final String[] signatures;
    private final Columns columns;

    ReadingListFormat(String service, String[] signatures, Columns columns) {
        this.service = service;
        this.signatures = signatures;
        this.columns = columns;
    }

    /** Whose columns are among these names. */
    static ReadingListFormat of(Collection<String> names) {
        for (ReadingListFormat format : values()) {
            for (String signature : format.signatures) {
                if (names.containsAll(Arrays.asList(signature.split(" & ")))) {
                    return format;
                }
            }
        }
        return TABLE;
    }

    /** Rows without dates are in order of time, newest first. */
    boolean isNewestFirst() {
        return this == OPENLIBRARY;
    }

    List<String> columns(Field field) {
        List<String> names = columns.names.get(field);
        return names == null ? Collections.<String>emptyList() : names;
    }

    /** Groups of columns, joined by " & "; a file with all columns of a group has the format. */
    private static String[] signatures(String... signatures) {
        return signatures;
    }

    private static Columns columns() {
        return new Columns();
    }

    private static final class Columns {
        final Map<Field, List<String>> names = new EnumMap<>(Field.class);

        Columns with(Field field, String... columns) {
            names.put(field, Arrays.asList(columns));
            return this;
        }
    }
}
