package io.github.kdtf.books.engine;

import android.content.Context;
import android.database.Cursor;
import android.database.sqlite.SQLiteDatabase;
import android.database.sqlite.SQLiteException;
import io.github.kdtf.books.engine.BundleException.Problem;
import java.io.File;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The books of a bundle in SQLite, with full-text search.
 *
 * <p>catalog.json is read once, into a database whose name carries the bundle's fingerprint: a new
 * bundle gets a new database. It is filled under another name and renamed when it is complete, so
 * a reading that was killed leaves nothing that could be mistaken for a catalogue. Safe to share
 * between threads. Not for the main thread.
 */
public final class Catalog implements AutoCloseable {
    private static final String PREFIX = "catalog-";
    private static final String UNFINISHED = "unfinished-";

    /** Of the tables below; raised when they change. */
    private static final int TABLES = 2;

    private static final String COLUMNS =
            "id, item_id, title, authors, series, genre, year, text, isbn, words, is_new";

    /** Of the matches of a short word such as "a" only so many are sorted. */
    private static final int SORTED_MATCHES = 2000;

    /** SQLite takes 999 at most. */
    private static final int VALUES_A_QUERY = 500;

    /** Told now and then while a catalogue is read for the first time. */
    public interface Progress {
        void onBooks(int read, int all);
    }

    private final SQLiteDatabase database;

    /**
     * Opens the catalogue of a bundle; the first time it is read from catalog.json.
     *
     * @param config of the same bundle, read just now, so that the hashes are known to be right
     * @param progress may be null
     * @throws BundleException the catalogue is damaged, empty or does not belong to the model
     */
    public static synchronized Catalog open(Context context, BundleFiles files,
            BundleConfig config, Progress progress) throws BundleException {
        String name = PREFIX + TABLES + "-" + config.fingerprint.substring(0, 32) + ".db";
        File file = context.getDatabasePath(name);
        try {
            if (!file.exists()) {
                file.getParentFile().mkdirs();
                fill(file, files, config, progress);
            }
            Catalog catalog = new Catalog(
                    SQLiteDatabase.openDatabase(file.getPath(), null, SQLiteDatabase.OPEN_READWRITE));
            deleteOthers(file);
            return catalog;
        } catch (SQLiteException error) {
            // Whatever is wrong with the database, the bundle still has all that was in it.
            SQLiteDatabase.deleteDatabase(file);
            throw new BundleException(Problem.NO_SPACE, BundleFiles.CATALOG,
                    "it cannot be stored: " + error.getMessage(), error);
        }
    }

    private Catalog(SQLiteDatabase database) {
        this.database = database;
    }

    /** The book with a model id, null if there is none. */
    public Book book(int id) {
        return first("id = ?", Integer.toString(id));
    }

    /** The book with the caller's own id, null if there is none. */
    public Book byItemId(String itemId) {
        return first("item_id = ?", itemId);
    }

    /** Books by the caller's own ids, for those of the given ones that any book has. */
    public Map<String, Book> byItemIds(Collection<String> itemIds) {
        Map<String, Book> books = new HashMap<>();
        for (Map.Entry<String, List<Book>> one : lookUp("item_id", itemIds).entrySet()) {
            books.put(one.getKey(), one.getValue().get(0));
        }
        return books;
    }

    /** Books by their ISBN of 13 digits, for those of the given ones that any book has. */
    public Map<String, List<Book>> byIsbn(Collection<String> isbns) {
        return lookUp("isbn", isbns);
    }

    /** Books by {@link TitleKey#full}, for those of the given keys that any book has. */
    public Map<String, List<Book>> byTitle(Collection<String> keys) {
        return lookUp("title_key", keys);
    }

    /** Books with a subtitle by {@link TitleKey#withoutSubtitle}, as {@link #byTitle}. */
    public Map<String, List<Book>> byTitleWithoutSubtitle(Collection<String> keys) {
        return lookUp("short_title_key", keys);
    }

    /**
     * Books whose title, authors or series have words that begin with those that were typed;
     * titles that begin with them come first.
     */
    public List<Book> search(String typed, int limit) {
        String plain = PlainText.of(typed);
        if (plain.isEmpty()) {
            return new ArrayList<>();
        }
        // Only letters, digits and spaces are left of it: nothing in it means anything to MATCH.
        StringBuilder match = new StringBuilder();
        for (String word : plain.split(" ")) {
            match.append('"').append(PlainText.spaced(word)).append("*\" ");
        }
        String key = TitleKey.full(typed);
        return query("id IN (SELECT docid FROM book_words"
                + " WHERE book_words MATCH ? LIMIT " + SORTED_MATCHES + ")"
                + " ORDER BY substr(title_key, 1, " + key.length() + ") <> ?, id LIMIT " + limit,
                match.toString(), key);
    }

    @Override
    public void close() {
        database.close();
    }

    private Book first(String where, String value) {
        List<Book> found = query(where, value);
        return found.isEmpty() ? null : found.get(0);
    }

    private List<Book> query(String where, String... values) {
        List<Book> books = new ArrayList<>();
        try (Cursor row = database.rawQuery(
                "SELECT " + COLUMNS + " FROM book WHERE " + where, values)) {
            while (row.moveToNext()) {
                books.add(book(row));
            }
        }
        return books;
    }

    /** Books by a column; lowest id first where several have the same value. */
    private Map<String, List<Book>> lookUp(String column, Collection<String> values) {
        Map<String, List<Book>> found = new HashMap<>();
        List<String> all = new ArrayList<>(values);
        for (int start = 0; start < all.size(); start += VALUES_A_QUERY) {
            List<String> some = all.subList(start, Math.min(start + VALUES_A_QUERY, all.size()));
            StringBuilder marks = new StringBuilder("?");
            for (int i = 1; i < some.size(); i++) {
                marks.append(",?");
            }
            try (Cursor row = database.rawQuery("SELECT " + COLUMNS + ", " + column
                    + " FROM book WHERE " + column + " IN (" + marks + ") ORDER BY id",
                    some.toArray(new String[0]))) {
                while (row.moveToNext()) {
                    String value = row.getString(row.getColumnCount() - 1);
                    if (!found.containsKey(value)) {
                        found.put(value, new ArrayList<Book>());
                    }
                    found.get(value).add(book(row));
                }
            }
        }
        return found;
    }

    private static Book book(Cursor row) {
        return new Book(row.getInt(0), row.getString(1), row.getString(2), row.getString(3),
                row.getString(4), row.getString(5), row.isNull(6) ? null : row.getInt(6),
                row.getString(7), row.getString(8), row.getString(9), row.getInt(10) != 0);
    }

    private static void fill(File file, BundleFiles files, BundleConfig config, Progress progress)
            throws BundleException {
        File unfinished = new File(file.getParentFile(), UNFINISHED + file.getName());
        SQLiteDatabase.deleteDatabase(unfinished);
        boolean complete = false;
        try {
            SQLiteDatabase database = SQLiteDatabase.openOrCreateDatabase(unfinished, null);
            try {
                // Nobody reads it before it is complete, so a journal would only cost time.
                database.rawQuery("PRAGMA journal_mode = OFF", null).close();
                database.execSQL("PRAGMA synchronous = OFF");
                database.beginTransaction();
                try {
                    createTables(database);
                    CatalogReader.read(files, config.numItems, database, progress);
                    database.setTransactionSuccessful();
                } finally {
                    database.endTransaction();
                }
            } finally {
                database.close();
            }
            complete = unfinished.renameTo(file);
            if (!complete) {
                throw new BundleException(Problem.NO_SPACE, BundleFiles.CATALOG,
                        "the database cannot be renamed to " + file);
            }
        } finally {
            if (!complete) {
                SQLiteDatabase.deleteDatabase(unfinished);
            }
        }
    }

    private static void createTables(SQLiteDatabase database) {
        database.execSQL("CREATE TABLE book (id INTEGER PRIMARY KEY, item_id TEXT NOT NULL,"
                + " title TEXT, authors TEXT, series TEXT, genre TEXT, year INTEGER, text TEXT,"
                + " isbn TEXT, words TEXT, is_new INTEGER NOT NULL,"
                + " title_key TEXT, short_title_key TEXT)");
        database.execSQL("CREATE UNIQUE INDEX book_item_id ON book (item_id)");
        database.execSQL("CREATE INDEX book_isbn ON book (isbn)");
        database.execSQL("CREATE INDEX book_title_key ON book (title_key)");
        database.execSQL("CREATE INDEX book_short_title_key ON book (short_title_key)");
        // Without content of its own: it only finds the ids of books.
        database.execSQL("CREATE VIRTUAL TABLE book_words"
                + " USING fts4 (content=\"\", words, tokenize=unicode61)");
    }

    /** Databases of bundles that were here before, and what a killed reading left. */
    private static void deleteOthers(File kept) {
        File[] others = kept.getParentFile().listFiles();
        if (others == null) {
            return;
        }
        for (File other : others) {
            String name = other.getName();
            if ((name.startsWith(PREFIX) || name.startsWith(UNFINISHED + PREFIX))
                    && !name.startsWith(kept.getName())) {
                SQLiteDatabase.deleteDatabase(other);
            }
        }
    }
}
