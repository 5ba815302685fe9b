package io.github.kdtf.books.shelf;

/**
 * A book that a reader put on the shelf or hid. Title and authors are kept with it, so that it
 * has a name even when a new bundle no longer knows it; both may be null.
 */
public final class ShelfBook {
    public final String itemId;
    public final String title;
    public final String authors;

    public ShelfBook(String itemId, String title, String authors) {
        this.itemId = itemId;
        this.title = title;
        this.authors = authors;
    }

    /** The title, or the item id of a book without one. */
    public String name() {
        return title != null ? title : "book " + itemId;
    }
}
