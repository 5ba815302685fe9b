package io.github.kdtf.books.engine;

/** One row of the catalogue; every text but the item id may be null. */
public final class Book {
    /** The model's id, 1 to the number of books. */
    public final int id;

    /** The caller's own id: the one that stays the same from bundle to bundle. */
    public final String itemId;

    public final String title;
    public final String authors;
    public final String series;
    public final String genre;

    /** Null where it is not known. */
    public final Integer year;

    public final String text;
    public final String isbn;

    /** What it is about, for reasons: words with blanks between them, strongest first. */
    public final String words;

    /** Whether nobody in the training data had read it. */
    public final boolean isNew;

    Book(int id, String itemId, String title, String authors, String series, String genre,
            Integer year, String text, String isbn, String words, boolean isNew) {
        this.id = id;
        this.itemId = itemId;
        this.title = title;
        this.authors = authors;
        this.series = series;
        this.genre = genre;
        this.year = year;
        this.text = text;
        this.isbn = isbn;
        this.words = words;
        this.isNew = isNew;
    }

    /** The title, or the item id of a book without one. */
    public String name() {
        return title != null ? title : "book " + itemId;
    }
}
