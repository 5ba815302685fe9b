package io.github.kdtf.books;

import android.content.ContentResolver;
import android.content.Context;
import android.content.SharedPreferences;
import android.database.sqlite.SQLiteException;
import android.net.Uri;
import android.os.Handler;
import android.os.Looper;
import io.github.kdtf.books.engine.Book;
import io.github.kdtf.books.engine.BookRanker;
import io.github.kdtf.books.engine.BookRecommender;
import io.github.kdtf.books.engine.BundleException;
import io.github.kdtf.books.engine.BundleFiles;
import io.github.kdtf.books.engine.Catalog;
import io.github.kdtf.books.engine.Latency;
import io.github.kdtf.books.engine.Moment;
import io.github.kdtf.books.engine.RankedBook;
import io.github.kdtf.books.engine.ScoredBook;
import io.github.kdtf.books.readinglists.ReadingListException;
import io.github.kdtf.books.readinglists.ReadingListImport;
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
import java.util.Map;
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

    /** Some milliseconds each in a large catalogue. */
    private static final int EXPLAINED_AT_ONCE = 5;

    private static final int LATENCY_RUNS = 200;
    private static final int LEAST_PERCENT = 10;
    private static final int CLOSING_SECONDS = 30;

    /** Preferences, and whether lists are sorted by the ranker: yes, until a reader says no. */
    static final String RERANKING = "reranking";
    static final String ON = "on";

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

    /** Null where the bundle has none. */
    private BookRanker ranker;
    private LibraryState made = state;

    /** Model ids of the shelf, oldest first. */
    private int[] history = {};

    /** The same books by their item ids. */
    private List<String> historyItemIds = Collections.emptyList();

    /** Counts the lists of suggestions; reasons belong to one of them. */
    private int round;

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

    /** Sorts the suggestions by the ranker from now on, or no longer. */
    void rerank(final boolean on) {
        change(new Runnable() {
            @Override
            public void run() {
                preferences().edit().putBoolean(ON, on).apply();
            }
        });
    }

    /** Sorts the suggestions for this moment: the last one may be long ago. */
    void updateMoment() {
        work(new Runnable() {
            @Override
            public void run() {
                if (ranker != null && made.reranks) {
                    show();
                }
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
                        : Latency.measure(recommender, history, LATENCY_RUNS));
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

    /** Reads an exported reading list onto the shelf; {@link LibraryState#lastImport} tells. */
    void importReadingList(final ContentResolver resolver, final Uri document) {
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
        listeners.clear();
        work(new Runnable() {
            @Override
            public void run() {
                round++; // reasons that are still to be found are not
                if (recommender != null) {
                    recommender.close();
                }
                if (ranker != null) {
                    ranker.close();
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
        show(); // the shelf is there to be seen while the bundle is read
        try {
            recommender = BookRecommender.open(files);
            if (recommender.config().ranker != null) {
                ranker = BookRanker.open(files, recommender.config().ranker);
            }
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
            if (ranker != null) {
                ranker.close();
                ranker = null;
            }
            made = made.copy();
            made.phase = LibraryState.Phase.REFUSED;
            made.refusal = error;
        }
        show();
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
        made = made.copy();
        try {
            change.run();
            made.notSaved = false;
        } catch (SQLiteException error) {
            made.notSaved = true; // rolled back: the shelf is as it was
        }
        show();
    }

    /** Shows the shelf and what the model makes of it; where no storage is left, what is known. */
    private void show() {
        try {
            refresh();
        } catch (SQLiteException error) {
            made = made.copy();
            made.notSaved = true;
        }
        publish();
        explain(++round, 0);
    }

    /** Reads the shelf anew and asks the model anew. */
    private void refresh() {
        LibraryState next = made.copy();
        List<ShelfBook> all = shelf.books();
        List<ShelfBook> here = new ArrayList<>();
        List<ShelfBook> aside = new ArrayList<>();
        Map<String, Book> books = catalog == null ? null : catalog.byItemIds(itemIds(all));
        for (ShelfBook one : all) {
            (books == null || books.containsKey(one.itemId) ? here : aside).add(one);
        }
        if (books != null) {
            history = new int[here.size()];
            historyItemIds = itemIds(here);
            for (int i = 0; i < history.length; i++) {
                history[i] = books.get(here.get(i).itemId).id;
            }
        }
        Collections.reverse(here);
        next.shelf = Collections.unmodifiableList(here);
        next.aside = Collections.unmodifiableList(aside);
        next.hidden = Collections.unmodifiableList(shelf.hidden());
        next.lastChange = shelf.lastChange();
        next.lastImport = shelf.lastImport();
        if (books != null) {
            Set<Integer> without = new HashSet<>();
            for (Book one : catalog.byItemIds(itemIds(next.hidden)).values()) {
                without.add(one.id);
            }
            List<ScoredBook> recommended = recommender.recommend(history, without);
            next.reranks = ranker != null && preferences().getBoolean(ON, true);
            if (ranker != null) {
                Map<String, Object> context = ranker.config().sources.context(Moment.now());
                next.rankerValues = Collections.unmodifiableMap(
                        ranker.config().sources.sharedValues(historyItemIds, context));
                next.forYou = Collections.unmodifiableList(next.reranks
                        ? reranked(recommended, context) : suggestions(recommended));
            } else {
                next.forYou = Collections.unmodifiableList(suggestions(recommended));
            }
            next.explained = history.length == 0;
        }
        made = next;
    }

    /**
     * Finds the reasons of some suggestions and leaves the others for later, so that whatever a
     * reader asks for meanwhile comes first; ends when the list is another one.
     */
    private void explain(final int ofRound, final int from) {
        if (worker.isShutdown() || made.explained || from >= made.forYou.size()) {
            return;
        }
        work(new Runnable() {
            @Override
            public void run() {
                if (ofRound != round) {
                    return;
                }
                List<LibraryState.Suggestion> all = new ArrayList<>(made.forYou);
                int end = Math.min(from + EXPLAINED_AT_ONCE, all.size());
                for (int i = from; i < end; i++) {
                    all.set(i, all.get(i).because(reasons(all.get(i).book)));
                }
                made = made.copy();
                made.forYou = Collections.unmodifiableList(all);
                made.explained = end == all.size();
                publish();
                explain(ofRound, end);
            }
        });
    }

    private List<Book> reasons(Book book) {
        List<Book> books = new ArrayList<>();
        for (ScoredBook one : recommender.explain(history, book.id)) {
            if (books.size() < REASONS) {
                books.add(catalog.book(one.id));
            }
        }
        return books;
    }

    private Details details(Book book) {
        List<LibraryState.Suggestion> reasons = Collections.emptyList();
        if (!made.hasOnShelf(book.itemId)) {
            reasons = suggestions(recommender.explain(history, book.id));
        }
        return new Details(book, suggestions(recommender.similar(book.id)), reasons);
    }

    private List<LibraryState.Suggestion> reranked(List<ScoredBook> recommended,
            Map<String, Object> context) {
        List<String> itemIds = new ArrayList<>();
        for (ScoredBook one : recommended) {
            itemIds.add(catalog.book(one.id).itemId);
        }
        List<RankedBook> books = ranker.rerank(recommended, itemIds, historyItemIds, context);
        double best = books.isEmpty() ? 0 : books.get(0).prediction;
        double least = books.isEmpty() ? 0 : books.get(books.size() - 1).prediction;
        List<LibraryState.Suggestion> suggestions = new ArrayList<>();
        for (RankedBook one : books) {
            suggestions.add(new LibraryState.Suggestion(catalog.book(one.id), one.score,
                    one.prediction,
                    percent((float) one.prediction, (float) best, (float) least),
                    Collections.<Book>emptyList()));
        }
        return suggestions;
    }

    private SharedPreferences preferences() {
        return context.getSharedPreferences(RERANKING, Context.MODE_PRIVATE);
    }

    private List<LibraryState.Suggestion> suggestions(List<ScoredBook> scored) {
        List<LibraryState.Suggestion> suggestions = new ArrayList<>();
        float best = scored.isEmpty() ? 0 : scored.get(0).score;
        float least = scored.isEmpty() ? 0 : scored.get(scored.size() - 1).score;
        for (ScoredBook one : scored) {
            suggestions.add(new LibraryState.Suggestion(catalog.book(one.id), one.score,
                    Double.NaN, percent(one.score, best, least), Collections.<Book>emptyList()));
        }
        return suggestions;
    }

    /** A score in hundredths of the best; scores below 0 have no share, so they are spread out. */
    private static int percent(float score, float best, float least) {
        if (least > 0) {
            return Math.max(1, Math.round(100 * score / best));
        }
        return best > least ? Math.round(LEAST_PERCENT
                + (100 - LEAST_PERCENT) * (score - least) / (best - least)) : 100;
    }

    private static List<String> itemIds(List<ShelfBook> books) {
        List<String> ids = new ArrayList<>();
        for (ShelfBook one : books) {
            ids.add(one.itemId);
        }
        return ids;
    }

    private void readExport(ContentResolver resolver, Uri document) {
        if (catalog == null) {
            return; // refused bundle: the screen offers no import then
        }
        List<ShelfBook> books = new ArrayList<>();
        List<ShelfBook> hidden = new ArrayList<>();
        ImportReport report;
        try (InputStream stream = open(resolver, document)) {
            ReadingListImport found =
                    ReadingListImport.read(stream, catalog, made.shelfItemIds());
            for (Book one : found.imported) {
                books.add(shelfBook(one));
            }
            for (Book one : found.excluded) {
                hidden.add(shelfBook(one));
            }
            report = new ImportReport(null, found.format.service, found.unmatched)
                    .with(ImportReport.Count.ROWS, found.rows)
                    .with(ImportReport.Count.IMPORTED, found.imported.size())
                    .with(ImportReport.Count.ALREADY, found.already)
                    .with(ImportReport.Count.REPEATED, found.repeated)
                    .with(ImportReport.Count.ASSUMED, found.assumed)
                    .with(ImportReport.Count.UNREAD, found.unread)
                    .with(ImportReport.Count.ABANDONED, found.abandoned)
                    .with(ImportReport.Count.LOW_RATED, found.lowRated)
                    .with(ImportReport.Count.HIDDEN, found.excluded.size())
                    .with(ImportReport.Count.UNCLEAR_DATES, found.unclearDates);
        } catch (ReadingListException error) {
            report = refused(error.reason);
        } catch (IOException error) {
            report = refused(ReadingListException.Reason.UNREADABLE);
        }
        shelf.addImported(books, hidden, report);
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

    private static ImportReport refused(ReadingListException.Reason reason) {
        return new ImportReport(reason.name(), null, Collections.<String[]>emptyList());
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
