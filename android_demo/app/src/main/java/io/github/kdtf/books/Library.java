package io.github.kdtf.books;

import android.content.ContentResolver;
import android.content.Context;
import android.database.sqlite.SQLiteException;
import android.net.Uri;
import android.os.Handler;
import android.os.Looper;
import io.github.kdtf.books.engine.Book;
import io.github.kdtf.books.engine.BookRecommender;
import io.github.kdtf.books.engine.BundleException;
import io.github.kdtf.books.engine.BundleFiles;
import io.github.kdtf.books.engine.Catalog;
import io.github.kdtf.books.engine.Latency;
import io.github.kdtf.books.engine.ScoredBook;
import io.github.kdtf.books.goodreads.GoodreadsException;
import io.github.kdtf.books.goodreads.GoodreadsImport;
import io.github.kdtf.books.shelf.ImportReport;
import io.github.kdtf.books.shelf.Shelf;
import io.github.kdtf.books.shelf.ShelfBook;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The shelf, the catalogue and the model together, one for the whole app.
 *
 * <p>Called on the main thread; everything slow happens on a thread of its own, in the order in
 * which it was asked for, and its outcome comes back on the main thread.
 */
final class Library implements AutoCloseable {
    /** How many books "because you read ..." names. */
    private static final int REASONS = 2;

    private static final int LATENCY_RUNS = 200;
    private static final int CLOSING_SECONDS = 30;

    interface Listener {
        void onLibrary(LibraryState state);
    }

    interface Answer<T> {
        void on(T value);
    }

    /** A book's page. */
    static final class Details {
        final Book book;
        final List<LibraryState.Suggestion> similar;

        /** Books of the shelf with what each adds to the score, in hundredths of the most. */
        final List<LibraryState.Suggestion> reasons;

        Details(Book book, List<LibraryState.Suggestion> similar,
                List<LibraryState.Suggestion> reasons) {
            this.book = book;
            this.similar = similar;
            this.reasons = reasons;
        }
    }

    private final Context context;
    private final BundleFiles files;
    private final Handler main = new Handler(Looper.getMainLooper());
    private final ExecutorService worker = Executors.newSingleThreadExecutor();
    private final List<Listener> listeners = new ArrayList<>();
    private final AtomicInteger searches = new AtomicInteger();
    private LibraryState state = new LibraryState();

    // Of the worker alone.
    private Shelf shelf;
    private Catalog catalog;
    private BookRecommender recommender;
    private LibraryState made = state;

    Library(Context context, BundleFiles files) {
        this.context = context.getApplicationContext();
        this.files = files;
        work(new Runnable() {
            @Override
            public void run() {
                open();
            }
        });
    }

    LibraryState state() {
        return state;
    }

    /** Tells at once what is, and from then on every change. */
    void addListener(Listener listener) {
        listeners.add(listener);
        listener.onLibrary(state);
    }

    void removeListener(Listener listener) {
        listeners.remove(listener);
    }

    void add(final ShelfBook book) {
        change(new Runnable() {
            @Override
            public void run() {
                shelf.add(book);
            }
        });
    }

    void remove(final ShelfBook book) {
        change(new Runnable() {
            @Override
            public void run() {
                shelf.remove(book);
            }
        });
    }

    void hide(final ShelfBook book) {
        change(new Runnable() {
            @Override
            public void run() {
                shelf.hide(book);
            }
        });
    }

    void show(final List<ShelfBook> books) {
        change(new Runnable() {
            @Override
            public void run() {
                shelf.show(books);
            }
        });
    }

    void undo() {
        change(new Runnable() {
            @Override
            public void run() {
                shelf.undo();
            }
        });
    }

    void keepChange() {
        change(new Runnable() {
            @Override
            public void run() {
                shelf.keepChange();
            }
        });
    }

    /** Books for what was typed so far; not answered when something else is asked before. */
    void search(final String typed, final int limit, final Answer<List<Book>> answer) {
        final int number = searches.incrementAndGet();
        work(new Runnable() {
            @Override
            public void run() {
                if (number == searches.get()) {
                    answer(answer, catalog == null ? Collections.<Book>emptyList()
                            : catalog.search(typed, limit));
                }
            }
        });
    }

    /** The page of a book; null if the catalogue does not have it. */
    void details(final String itemId, final Answer<Details> answer) {
        work(new Runnable() {
            @Override
            public void run() {
                Book book = catalog == null ? null : catalog.byItemId(itemId);
                answer(answer, book == null ? null : details(book));
            }
        });
    }

    /** How long this device takes for one recommendation. */
    void measure(final Answer<Latency> answer) {
        work(new Runnable() {
            @Override
            public void run() {
                answer(answer, recommender == null ? null
                        : Latency.measure(recommender, history(), LATENCY_RUNS));
            }
        });
    }

    /** What the bundle says of its model, as it stands; empty if it says nothing. */
    void modelCard(final Answer<String> answer) {
        work(new Runnable() {
            @Override
            public void run() {
                answer(answer, readModelCard());
            }
        });
    }

    /** Reads a Goodreads library export onto the shelf; {@link LibraryState#lastImport} tells. */
    void importGoodreads(final ContentResolver resolver, final Uri document) {
        work(new Runnable() {
            @Override
            public void run() {
                made = made.copy();
                made.importing = true;
                publish();
                made = made.copy();
                made.importing = false;
                save(new Runnable() {
                    @Override
                    public void run() {
                        readExport(resolver, document);
                    }
                });
            }
        });
    }

    /** Ends what is under way, then lets go of everything. */
    @Override
    public void close() {
        work(new Runnable() {
            @Override
            public void run() {
                if (recommender != null) {
                    recommender.close();
                }
                if (catalog != null) {
                    catalog.close();
                }
                shelf.close();
            }
        });
        worker.shutdown();
        try {
            worker.awaitTermination(CLOSING_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
    }

    private void open() {
        shelf = new Shelf(context);
        refresh(); // the shelf is there to be seen while the bundle is read
        try {
            recommender = BookRecommender.open(files);
            made = made.copy();
            made.config = recommender.config();
            catalog = Catalog.open(context, files, recommender.config(), new Catalog.Progress() {
                @Override
                public void onBooks(int read, int all) {
                    made = made.copy();
                    made.booksRead = read;
                    made.booksAll = all;
                    publish();
                }
            });
            made = made.copy();
            made.phase = LibraryState.Phase.READY;
        } catch (BundleException error) {
            if (recommender != null) {
                recommender.close();
                recommender = null;
            }
            made = made.copy();
            made.phase = LibraryState.Phase.REFUSED;
            made.refusal = error;
        }
        refresh();
    }

    private void change(final Runnable change) {
        work(new Runnable() {
            @Override
            public void run() {
                save(change);
            }
        });
    }

    /** Makes a change and shows what came of it. */
    private void save(Runnable change) {
        boolean saved = true;
        try {
            change.run();
        } catch (SQLiteException error) {
            saved = false; // rolled back: the shelf is as it was
        }
        made = made.copy();
        made.notSaved = !saved;
        refresh();
    }

    /** Reads the shelf anew, asks the model anew and shows both. */
    private void refresh() {
        LibraryState next = made.copy();
        List<ShelfBook> here = new ArrayList<>();
        List<ShelfBook> aside = new ArrayList<>();
        for (ShelfBook one : shelf.books()) {
            boolean known = catalog == null || catalog.byItemId(one.itemId) != null;
            (known ? here : aside).add(one);
        }
        Collections.reverse(here);
        next.shelf = Collections.unmodifiableList(here);
        next.aside = Collections.unmodifiableList(aside);
        next.hidden = Collections.unmodifiableList(shelf.hidden());
        next.lastChange = shelf.lastChange();
        next.lastImport = shelf.lastImport();
        made = next;
        if (catalog != null) {
            made.forYou = Collections.unmodifiableList(recommend());
        }
        publish();
    }

    private List<LibraryState.Suggestion> recommend() {
        int[] history = history();
        Set<Integer> without = new HashSet<>();
        for (ShelfBook one : made.hidden) {
            Book book = catalog.byItemId(one.itemId);
            if (book != null) {
                without.add(book.id);
            }
        }
        return suggestions(recommender.recommend(history, without), history);
    }

    private Details details(Book book) {
        int[] history = history();
        List<LibraryState.Suggestion> reasons = Collections.emptyList();
        if (!made.hasOnShelf(book.itemId)) {
            reasons = suggestions(recommender.explain(history, book.id), null);
        }
        return new Details(book, suggestions(recommender.similar(book.id), null), reasons);
    }

    /** With the books of a history that speak for each, unless it is null. */
    private List<LibraryState.Suggestion> suggestions(List<ScoredBook> scored, int[] history) {
        List<LibraryState.Suggestion> suggestions = new ArrayList<>();
        for (ScoredBook one : scored) {
            List<String> because = new ArrayList<>();
            if (history != null && history.length > 0) {
                for (ScoredBook reason : recommender.explain(history, one.id)) {
                    if (because.size() < REASONS) {
                        because.add(catalog.book(reason.id).name());
                    }
                }
            }
            suggestions.add(new LibraryState.Suggestion(catalog.book(one.id), one.score,
                    percent(one.score, scored.get(0).score), because));
        }
        return suggestions;
    }

    private static int percent(float score, float best) {
        return best > 0 ? Math.max(1, Math.min(100, Math.round(100 * score / best))) : 100;
    }

    /** Model ids of the shelf, oldest first. */
    private int[] history() {
        int[] ids = new int[made.shelf.size()];
        for (int i = 0; i < ids.length; i++) {
            ids[ids.length - 1 - i] = catalog.byItemId(made.shelf.get(i).itemId).id;
        }
        return ids;
    }

    private void readExport(ContentResolver resolver, Uri document) {
        if (catalog == null) {
            return; // refused bundle: the screen offers no import then
        }
        List<ShelfBook> books = new ArrayList<>();
        ImportReport report;
        try (InputStream stream = open(resolver, document)) {
            GoodreadsImport found = GoodreadsImport.read(stream, catalog, made.shelfItemIds());
            for (Book one : found.imported) {
                books.add(shelfBook(one));
            }
            report = new ImportReport(null, found.rows, found.imported.size(), found.already,
                    found.repeated, found.unread, found.unmatched);
        } catch (GoodreadsException error) {
            report = refused(error.reason);
        } catch (IOException error) {
            report = refused(GoodreadsException.Reason.UNREADABLE);
        }
        shelf.addImported(books, report);
    }

    /** Opens what another app provides, which may fail in any way. */
    private static InputStream open(ContentResolver resolver, Uri document) throws IOException {
        try {
            InputStream stream = resolver.openInputStream(document);
            if (stream != null) {
                return stream;
            }
        } catch (RuntimeException error) {
            throw new IOException("the document cannot be opened", error);
        }
        throw new IOException("there is no such document");
    }

    private static ImportReport refused(GoodreadsException.Reason reason) {
        return new ImportReport(reason.name(), 0, 0, 0, 0, 0, Collections.<String[]>emptyList());
    }

    static ShelfBook shelfBook(Book book) {
        return new ShelfBook(book.itemId, book.title, book.authors);
    }

    private String readModelCard() {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        byte[] buffer = new byte[1 << 14];
        try (InputStream stream = files.open(BundleFiles.MODEL_CARD)) {
            for (int count; (count = stream.read(buffer)) > 0; ) {
                content.write(buffer, 0, count);
            }
        } catch (IOException error) {
            return ""; // a bundle need not have one
        }
        return new String(content.toByteArray(), StandardCharsets.UTF_8);
    }

    private void work(Runnable task) {
        worker.execute(task);
    }

    private void publish() {
        final LibraryState shown = made;
        main.post(new Runnable() {
            @Override
            public void run() {
                state = shown;
                for (Listener one : new ArrayList<>(listeners)) {
                    if (listeners.contains(one)) {
                        one.onLibrary(shown);
                    }
                }
            }
        });
    }

    private <T> void answer(final Answer<T> answer, final T value) {
        main.post(new Runnable() {
            @Override
            public void run() {
                answer.on(value);
            }
        });
    }
}
