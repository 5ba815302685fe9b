package io.github.kdtf.books.goodreads;

import io.github.kdtf.books.engine.Book;
import io.github.kdtf.books.engine.Catalog;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What a library export holds for a reader with this catalogue and this shelf. */
public final class GoodreadsImport {
    /** Rows with any content. */
    public final int rows;

    /** Books that join the shelf, oldest first. */
    public final List<Book> imported;

    /** Rows whose book was on the shelf before. */
    public final int already;

    /** Rows whose book another row had given. */
    public final int repeated;

    /** Rows on the shelves to-read and currently-reading. */
    public final int unread;

    /** Title and author of the rows that no book of the catalogue fits, in the file's order. */
    public final List<String[]> unmatched;

    /**
     * Reads an export; nothing is changed.
     *
     * @param shelf item ids of the books that are on the shelf
     * @throws GoodreadsException the file is not one; says why
     */
    public static GoodreadsImport read(InputStream stream, Catalog catalog, Set<String> shelf)
            throws GoodreadsException {
        List<LibraryRow> rows = GoodreadsExport.read(stream);
        return new GoodreadsImport(rows, new BookMatcher(catalog, rows), shelf);
    }

    private GoodreadsImport(List<LibraryRow> all, BookMatcher matcher, Set<String> shelf) {
        List<LibraryRow> read = new ArrayList<>();
        Map<LibraryRow, Book> books = new LinkedHashMap<>();
        List<String[]> missing = new ArrayList<>();
        int notRead = 0;
        for (LibraryRow row : all) {
            Book book = row.isRead ? matcher.match(row) : null;
            if (!row.isRead) {
                notRead++;
            } else if (book == null) {
                missing.add(new String[] {row.title, row.author});
            } else {
                read.add(row);
                books.put(row, book);
            }
        }
        // Stable: the file's order where dates are equal, and 0, no date, before all others.
        Collections.sort(read, new Comparator<LibraryRow>() {
            @Override
            public int compare(LibraryRow one, LibraryRow other) {
                return Integer.compare(one.date, other.date);
            }
        });
        Map<String, Book> joining = new LinkedHashMap<>();
        int onShelf = 0;
        int again = 0;
        for (LibraryRow row : read) {
            Book book = books.get(row);
            if (shelf.contains(book.itemId)) {
                onShelf++;
            } else if (joining.containsKey(book.itemId)) {
                again++;
            } else {
                joining.put(book.itemId, book);
            }
        }
        rows = all.size();
        imported = new ArrayList<>(joining.values());
        already = onShelf;
        repeated = again;
        unread = notRead;
        unmatched = missing;
    }
}
