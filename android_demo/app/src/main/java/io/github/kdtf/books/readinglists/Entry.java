package io.github.kdtf.books.readinglists;

import java.util.List;

/** One book of a reading list. */
final class Entry {
    /** Of 5; books that are rated lower do not join the shelf. */
    private static final double LOWEST_RATING = 3;

    /** Title and first author as they stand in the file. */
    final String title;
    final String author;

    /** All authors, separated by commas or other signs. */
    final String authors;

    /** Of 13 digits, in the order in which they are tried. */
    final List<String> isbns;

    final Status status;

    /** Nothing says that it was read, nor that it was not. */
    final boolean isAssumed;

    /** From 0 to 5; 0 where there is none. */
    final double rating;

    /** As {@link Dates#parse} gives it. */
    final long date;

    Entry(String title, String author, String authors, List<String> isbns, Status status,
            boolean isAssumed, double rating, long date) {
        this.title = title;
        this.author = author;
        this.authors = authors;
        this.isbns = isbns;
        this.status = status;
        this.isAssumed = isAssumed;
        this.rating = rating;
        this.date = date;
    }

    /** Read, and not rated low. */
    boolean isHistory() {
        return status == Status.READ && (rating == 0 || rating >= LOWEST_RATING);
    }
}
