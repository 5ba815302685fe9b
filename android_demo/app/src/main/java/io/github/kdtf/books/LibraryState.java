package io.github.kdtf.books;

import io.github.kdtf.books.engine.Book;
import io.github.kdtf.books.engine.BundleConfig;
import io.github.kdtf.books.engine.BundleException;
import io.github.kdtf.books.shelf.Change;
import io.github.kdtf.books.shelf.ImportReport;
import io.github.kdtf.books.shelf.ShelfBook;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** All that the screens show, as it was at one moment; never changed once it is shown. */
final class LibraryState {
    enum Phase {
        /** The shelf or the bundle is still being read. */
        OPENING,
        READY,
        /** The bundle cannot be used; the shelf is there. */
        REFUSED
    }

    Phase phase = Phase.OPENING;

    /** While a catalogue is read for the first time: books read, of all; else 0. */
    int booksRead;
    int booksAll;

    /** Why, when the phase is REFUSED. */
    BundleException refusal;

    /** Null until the bundle is open. */
    BundleConfig config;

    /** Newest first, only books that the catalogue has; while there is none, all. */
    List<ShelfBook> shelf = Collections.emptyList();

    /** Books of the shelf that the catalogue does not have (any more). */
    List<ShelfBook> aside = Collections.emptyList();

    List<ShelfBook> hidden = Collections.emptyList();
    List<Suggestion> forYou = Collections.emptyList();

    /** Whether every suggestion has its reasons: they take longer than the suggestions. */
    boolean explained;

    /** The values that the ranker takes here and now, by column; null if the bundle has none. */
    Map<String, Object> rankerValues;

    /** Whether the suggestions are sorted by the ranker. */
    boolean reranks;
    Change lastChange;
    ImportReport lastImport;
    boolean importing;

    /** The storage did not take the last change. */
    boolean notSaved;

    /** A book to read next and why. */
    static final class Suggestion {
        final Book book;
        final float score;

        /** What the ranker predicts; NaN where it was not asked. */
        final double prediction;

        /** The score, or the prediction, in hundredths of the best one's, at least 1. */
        final int percent;

        /** The books that speak for it most; empty as long as they are not known. */
        final List<Book> because;

        Suggestion(Book book, float score, double prediction, int percent, List<Book> because) {
            this.book = book;
            this.score = score;
            this.prediction = prediction;
            this.percent = percent;
            this.because = because;
        }

        Suggestion because(List<Book> books) {
            return new Suggestion(book, score, prediction, percent, books);
        }
    }

    boolean hasOnShelf(String itemId) {
        return contains(shelf, itemId);
    }

    boolean hides(String itemId) {
        return contains(hidden, itemId);
    }

    Set<String> shelfItemIds() {
        Set<String> ids = new HashSet<>();
        for (ShelfBook one : shelf) {
            ids.add(one.itemId);
        }
        return ids;
    }

    LibraryState copy() {
        LibraryState copy = new LibraryState();
        copy.phase = phase;
        copy.booksRead = booksRead;
        copy.booksAll = booksAll;
        copy.refusal = refusal;
        copy.config = config;
        copy.shelf = shelf;
        copy.aside = aside;
        copy.hidden = hidden;
        copy.forYou = forYou;
        copy.explained = explained;
        copy.rankerValues = rankerValues;
        copy.reranks = reranks;
        copy.lastChange = lastChange;
        copy.lastImport = lastImport;
        copy.importing = importing;
        copy.notSaved = notSaved;
        return copy;
    }

    private static boolean contains(List<ShelfBook> books, String itemId) {
        for (ShelfBook one : books) {
            if (one.itemId.equals(itemId)) {
                return true;
            }
        }
        return false;
    }
}
