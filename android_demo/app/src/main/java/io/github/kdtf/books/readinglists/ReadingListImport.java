package io.github.kdtf.books.readinglists;

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

/** What a reading list holds for a reader with this catalogue and this shelf. */
public final class ReadingListImport {
    public final ReadingListFormat format;

    /** Rows with any content. */
    public final int rows;

    /** Books that join the shelf, oldest first. */
    public final List<Book> imported;

    /** Books that must not be recommended: rated low, abandoned or being read. */
    public final List<Book> excluded;

    /** Rows whose book was on the shelf before. */
    public final int already;

    /** Rows whose book another row had given. */
    public final int repeated;

    /** Rows to read or being read. */
    public final int unread;

    public final int abandoned;

    /** Rows that were read but rated low. */
    public final int lowRated;

    /** Rows of which nothing says that they were read, nor that they were not. */
    public final int assumed;

    /** Texts in place of dates of books that were read. */
    public final int unclearDates;

    /** Title and author of the rows that no book of the catalogue fits, in the file's order. */
    public final List<String[]> unmatched;

    /**
     * Reads a file; nothing is changed.
     *
     * @param shelf item ids of the books that are on the shelf
     * @throws ReadingListException the file is no reading list; says why
     */
    public static ReadingListImport read(InputStream stream, Catalog catalog, Set<String> shelf)
            throws ReadingListException {
        ReadingListReader list = new ReadingListReader(stream);
        return new ReadingListImport(list, new BookMatcher(catalog, list.entries), shelf);
    }

    private ReadingListImport(ReadingListReader list, BookMatcher matcher, Set<String> shelf) {
        List<Entry> history = new ArrayList<>();
        List<Entry> others = new ArrayList<>();
        Map<Entry, Book> books = new LinkedHashMap<>();
        List<String[]> missing = new ArrayList<>();
        int[] counts = new int[Status.values().length];
        int assumptions = 0;
        for (Entry entry : list.entries) {
            counts[entry.status.ordinal()]++;
            assumptions += entry.isAssumed ? 1 : 0;
            Book book = entry.status == Status.TO_READ ? null : matcher.match(entry);
            if (book != null) {
                books.put(entry, book);
                (entry.isHistory() ? history : others).add(entry);
            } else if (entry.isHistory()) {
                missing.add(new String[] {entry.title, entry.author});
            }
        }
        int liked = history.size() + missing.size();
        if (list.format.isNewestFirst()) {
            Collections.reverse(history);
        }
        // Stable: the order above where dates are equal, and 0, no date, before all others.
        Collections.sort(history, new Comparator<Entry>() {
            @Override
            public int compare(Entry one, Entry other) {
                return Long.compare(one.date, other.date);
            }
        });
        Map<String, Book> joining = new LinkedHashMap<>();
        int onShelf = 0;
        int again = 0;
        for (Entry entry : history) {
            Book book = books.get(entry);
            if (shelf.contains(book.itemId)) {
                onShelf++;
            } else if (joining.containsKey(book.itemId)) {
                again++;
            } else {
                joining.put(book.itemId, book);
            }
        }
        Map<String, Book> hidden = new LinkedHashMap<>();
        for (Entry entry : others) {
            Book book = books.get(entry);
            if (!shelf.contains(book.itemId) && !joining.containsKey(book.itemId)) {
                hidden.put(book.itemId, book);
            }
        }
        format = list.format;
        rows = list.entries.size();
        imported = new ArrayList<>(joining.values());
        excluded = new ArrayList<>(hidden.values());
        already = onShelf;
        repeated = again;
        unread = counts[Status.TO_READ.ordinal()] + counts[Status.READING.ordinal()];
        abandoned = counts[Status.ABANDONED.ordinal()];
        lowRated = counts[Status.READ.ordinal()] - liked;
        assumed = assumptions;
        unclearDates = list.unclearDates;
        unmatched = missing;
    }
}
