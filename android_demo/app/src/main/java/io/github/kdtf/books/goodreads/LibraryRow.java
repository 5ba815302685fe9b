package io.github.kdtf.books.goodreads;

/** One book of a Goodreads library export. */
final class LibraryRow {
    final String title;
    final String author;
    final String additionalAuthors;

    /** The cells as they stand. */
    final String isbn13;
    final String isbn;

    /** YYYYMMDD, 0 where no date is known. */
    final int date;

    final boolean isRead;

    LibraryRow(String title, String author, String additionalAuthors, String isbn13, String isbn,
            int date, boolean isRead) {
        this.title = title;
        this.author = author;
        this.additionalAuthors = additionalAuthors;
        this.isbn13 = isbn13;
        this.isbn = isbn;
        this.date = date;
        this.isRead = isRead;
    }
}
