package io.github.kdtf.books;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNull;

import android.content.Context;
import android.content.ContextWrapper;
import android.database.DatabaseErrorHandler;
import android.database.sqlite.SQLiteDatabase;
import io.github.kdtf.books.shelf.ImportReport;
import io.github.kdtf.books.shelf.Shelf;
import io.github.kdtf.books.shelf.ShelfBook;
import java.io.File;
import java.util.ArrayList;
import java.util.Collections;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;

/** A shelf of an earlier release of the app. */
@RunWith(RobolectricTestRunner.class)
public class ShelfTest {
    private static final String BOOK = "(place INTEGER PRIMARY KEY AUTOINCREMENT,"
            + " item_id TEXT NOT NULL UNIQUE, title TEXT, authors TEXT)";

    @Test
    public void itKeepsItsBooksAndTakesNewOnes() {
        Context context = new OtherDatabases(RuntimeEnvironment.getApplication());
        try (SQLiteDatabase old =
                context.openOrCreateDatabase("shelf.db", Context.MODE_PRIVATE, null, null)) {
            for (String table : new String[] {"shelf", "hidden", "changed"}) {
                old.execSQL("CREATE TABLE " + table + " " + BOOK);
            }
            old.execSQL("CREATE TABLE last_change (kind TEXT NOT NULL)");
            old.execSQL("CREATE TABLE last_import (refused TEXT, row_count INTEGER,"
                    + " imported INTEGER, already INTEGER, repeated INTEGER, unread INTEGER)");
            old.execSQL("CREATE TABLE unmatched (title TEXT, author TEXT)");
            old.execSQL("INSERT INTO shelf (item_id, title) VALUES ('b1', 'Dust')");
            old.execSQL("INSERT INTO hidden (item_id, title) VALUES ('b2', 'Salt')");
            old.execSQL("INSERT INTO last_import VALUES (NULL, 1, 1, 0, 0, 0)");
            old.execSQL("INSERT INTO unmatched VALUES ('Nowhere', 'Nobody')");
            old.setVersion(1);
        }
        try (Shelf shelf = new Shelf(context)) {
            assertEquals("Dust", shelf.books().get(0).title);
            assertEquals("b2", shelf.hidden().get(0).itemId);
            assertNull(shelf.lastImport());
            shelf.addImported(
                    Collections.singletonList(new ShelfBook("b3", "Ferry", null)),
                    Collections.singletonList(new ShelfBook("b4", "Doors", null)),
                    new ImportReport(null, "Goodreads", new ArrayList<String[]>())
                            .with(ImportReport.Count.ROWS, 2));
            assertEquals(2, shelf.books().size());
            assertEquals(2, shelf.hidden().size());
            assertEquals(2, shelf.lastImport().get(ImportReport.Count.ROWS));
            shelf.undo();
            assertEquals(1, shelf.books().size());
            assertEquals("what was hidden before stays hidden", 1, shelf.hidden().size());
        }
    }

    /** The app itself opens its shelf meanwhile. */
    private static final class OtherDatabases extends ContextWrapper {
        OtherDatabases(Context context) {
            super(context);
        }

        @Override
        public File getDatabasePath(String name) {
            return super.getDatabasePath("other_" + name);
        }

        @Override
        public SQLiteDatabase openOrCreateDatabase(String name, int mode,
                SQLiteDatabase.CursorFactory factory, DatabaseErrorHandler handler) {
            return super.openOrCreateDatabase("other_" + name, mode, factory, handler);
        }
    }
}
