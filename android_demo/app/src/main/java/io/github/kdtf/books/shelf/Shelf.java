package io.github.kdtf.books.shelf;

import android.content.ContentValues;
import android.content.Context;
import android.database.Cursor;
import android.database.sqlite.SQLiteDatabase;
import android.database.sqlite.SQLiteOpenHelper;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * The reader's own books in the app's own database, by the caller's item ids: what a reader did
 * outlives every bundle. Each change is one transaction that also keeps what undoing it needs.
 * Not for the main thread.
 */
public final class Shelf implements AutoCloseable {
    private static final String NAME = "shelf.db";
    private static final int VERSION = 2;
    private static final String BOOK = "(place INTEGER PRIMARY KEY AUTOINCREMENT,"
            + " item_id TEXT NOT NULL UNIQUE, title TEXT, authors TEXT)";

    private final SQLiteOpenHelper helper;

    public Shelf(Context context) {
        helper = new SQLiteOpenHelper(context, NAME, null, VERSION) {
            @Override
            public void onCreate(SQLiteDatabase database) {
                database.execSQL("CREATE TABLE shelf " + BOOK);
                database.execSQL("CREATE TABLE hidden " + BOOK);
                // The books of the last change, with their places before it.
                database.execSQL("CREATE TABLE changed " + BOOK);
                database.execSQL("CREATE TABLE last_change (kind TEXT NOT NULL)");
                database.execSQL("CREATE TABLE unmatched (title TEXT, author TEXT)");
                createImportTables(database);
            }

            @Override
            public void onUpgrade(SQLiteDatabase database, int from, int to) {
                // The report of the last import is lost, and nothing else.
                database.execSQL("DROP TABLE last_import");
                database.delete("unmatched", null, null);
                createImportTables(database);
            }
        };
    }

    private static void createImportTables(SQLiteDatabase database) {
        database.execSQL("CREATE TABLE last_import (refused TEXT, service TEXT)");
        database.execSQL("CREATE TABLE import_counts (name TEXT NOT NULL, number INTEGER NOT NULL)");
        // What the last change hid besides.
        database.execSQL("CREATE TABLE changed_hidden (item_id TEXT NOT NULL)");
    }

    /** Oldest first. */
    public List<ShelfBook> books() {
        return read("shelf");
    }

    /** Books that must not be recommended, first hidden first. */
    public List<ShelfBook> hidden() {
        return read("hidden");
    }

    /** What {@link #undo} would take back; null if nothing. */
    public Change lastChange() {
        String kind = null;
        try (Cursor row = database().rawQuery("SELECT kind FROM last_change", null)) {
            if (row.moveToNext()) {
                kind = row.getString(0);
            }
        }
        List<ShelfBook> books = read("changed");
        return kind == null || books.isEmpty() ? null
                : new Change(Change.Kind.valueOf(kind), books.size(), books.get(0).name());
    }

    /** How the last import went; null if there was none. */
    public ImportReport lastImport() {
        List<String[]> unmatched = new ArrayList<>();
        try (Cursor row = database().rawQuery(
                "SELECT title, author FROM unmatched ORDER BY rowid", null)) {
            while (row.moveToNext()) {
                unmatched.add(new String[] {row.getString(0), row.getString(1)});
            }
        }
        ImportReport report = null;
        try (Cursor row = database().rawQuery("SELECT refused, service FROM last_import", null)) {
            if (row.moveToNext()) {
                report = new ImportReport(row.getString(0), row.getString(1), unmatched);
            }
        }
        try (Cursor row = database().rawQuery("SELECT name, number FROM import_counts", null)) {
            while (report != null && row.moveToNext()) {
                report.with(ImportReport.Count.valueOf(row.getString(0)), row.getInt(1));
            }
        }
        return report;
    }

    /** Puts a book on the shelf as the newest; one that is there already stays where it is. */
    public void add(ShelfBook book) {
        change(Change.Kind.ADDED, Collections.singletonList(book), "shelf", true);
    }

    public void remove(ShelfBook book) {
        change(Change.Kind.REMOVED, Collections.singletonList(book), "shelf", false);
    }

    /** Keeps a book from being recommended. */
    public void hide(ShelfBook book) {
        change(Change.Kind.HIDDEN, Collections.singletonList(book), "hidden", true);
    }

    /** Lets hidden books be recommended again. */
    public void show(List<ShelfBook> books) {
        change(Change.Kind.SHOWN, books, "hidden", false);
    }

    /**
     * Puts the books of an import on the shelf, oldest first, and keeps its report.
     *
     * @param hidden books that must not be recommended
     */
    public void addImported(final List<ShelfBook> books, final List<ShelfBook> hidden,
            final ImportReport report) {
        transaction(new Runnable() {
            @Override
            public void run() {
                apply(Change.Kind.IMPORTED, books, "shelf", true);
                for (ShelfBook book : hidden) {
                    if (!has("hidden", book)) {
                        database().insertOrThrow("hidden", null, values(book));
                        database().execSQL("INSERT INTO changed_hidden VALUES (?)",
                                new Object[] {book.itemId});
                    }
                }
                write(report);
            }
        });
    }

    /** Takes the last change back. */
    public void undo() {
        final Change change = lastChange();
        if (change == null) {
            return;
        }
        transaction(new Runnable() {
            @Override
            public void run() {
                boolean added = change.kind == Change.Kind.ADDED
                        || change.kind == Change.Kind.IMPORTED
                        || change.kind == Change.Kind.HIDDEN;
                boolean ofHidden = change.kind == Change.Kind.HIDDEN
                        || change.kind == Change.Kind.SHOWN;
                String table = ofHidden ? "hidden" : "shelf";
                database().execSQL(added
                        ? "DELETE FROM " + table
                                + " WHERE item_id IN (SELECT item_id FROM changed)"
                        : "INSERT OR IGNORE INTO " + table + " SELECT * FROM changed");
                database().execSQL("DELETE FROM hidden"
                        + " WHERE item_id IN (SELECT item_id FROM changed_hidden)");
                forget();
            }
        });
    }

    /** Lets the last change stand: it can no longer be undone. */
    public void keepChange() {
        transaction(new Runnable() {
            @Override
            public void run() {
                forget();
            }
        });
    }

    @Override
    public void close() {
        helper.close();
    }

    private void change(final Change.Kind kind, final List<ShelfBook> books, final String table,
            final boolean adds) {
        transaction(new Runnable() {
            @Override
            public void run() {
                apply(kind, books, table, adds);
            }
        });
    }

    /** Within a transaction. */
    private void apply(Change.Kind kind, List<ShelfBook> books, String table, boolean adds) {
        forget();
        ContentValues what = new ContentValues();
        what.put("kind", kind.name());
        database().insertOrThrow("last_change", null, what);
        for (ShelfBook book : books) {
            if (adds == has(table, book)) {
                continue; // as it should be already: nothing to do, nothing to undo
            }
            if (adds) {
                database().insertOrThrow(table, null, values(book));
            }
            database().execSQL("INSERT INTO changed SELECT * FROM " + table
                    + " WHERE item_id = ?", new Object[] {book.itemId});
            if (!adds) {
                database().delete(table, "item_id = ?", new String[] {book.itemId});
            }
        }
    }

    private void write(ImportReport report) {
        database().delete("last_import", null, null);
        database().delete("import_counts", null, null);
        database().delete("unmatched", null, null);
        ContentValues row = new ContentValues();
        row.put("refused", report.refused);
        row.put("service", report.service);
        database().insertOrThrow("last_import", null, row);
        for (ImportReport.Count count : ImportReport.Count.values()) {
            ContentValues values = new ContentValues();
            values.put("name", count.name());
            values.put("number", report.get(count));
            database().insertOrThrow("import_counts", null, values);
        }
        for (String[] one : report.unmatched) {
            ContentValues values = new ContentValues();
            values.put("title", one[0]);
            values.put("author", one[1]);
            database().insertOrThrow("unmatched", null, values);
        }
    }

    private void forget() {
        database().delete("changed", null, null);
        database().delete("changed_hidden", null, null);
        database().delete("last_change", null, null);
    }

    private boolean has(String table, ShelfBook book) {
        try (Cursor row = database().rawQuery("SELECT 1 FROM " + table + " WHERE item_id = ?",
                new String[] {book.itemId})) {
            return row.moveToNext();
        }
    }

    private List<ShelfBook> read(String table) {
        List<ShelfBook> books = new ArrayList<>();
        try (Cursor row = database().rawQuery(
                "SELECT item_id, title, authors FROM " + table + " ORDER BY place", null)) {
            while (row.moveToNext()) {
                books.add(new ShelfBook(row.getString(0), row.getString(1), row.getString(2)));
            }
        }
        return books;
    }

    private static ContentValues values(ShelfBook book) {
        ContentValues values = new ContentValues();
        values.put("item_id", book.itemId);
        values.put("title", book.title);
        values.put("authors", book.authors);
        return values;
    }

    private void transaction(Runnable change) {
        SQLiteDatabase database = database();
        database.beginTransaction();
        try {
            change.run();
            database.setTransactionSuccessful();
        } finally {
            database.endTransaction();
        }
    }

    private SQLiteDatabase database() {
        return helper.getWritableDatabase();
    }
}
