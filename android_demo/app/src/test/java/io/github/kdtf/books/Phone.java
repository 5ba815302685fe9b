package io.github.kdtf.books;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;
import static org.robolectric.Shadows.shadowOf;

import android.app.Activity;
import android.content.Intent;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.os.Looper;
import android.view.View;
import android.widget.EditText;
import android.widget.ListView;
import android.widget.TextView;
import io.github.kdtf.books.engine.Book;
import io.github.kdtf.books.shelf.ImportReport;
import io.github.kdtf.books.shelf.Shelf;
import io.github.kdtf.books.shelf.ShelfBook;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;
import org.robolectric.Robolectric;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.android.controller.ActivityController;

/** A hand and an eye: what tests do with the app and see of it. */
final class Phone<A extends Activity> {
    private static final long PATIENCE_MS = 30000;

    ActivityController<A> controller;

    private Phone(ActivityController<A> controller) {
        this.controller = controller;
    }

    static Phone<MainActivity> launch() {
        return open(MainActivity.class, null);
    }

    static <A extends Activity> Phone<A> open(Class<A> screen, Intent intent) {
        Phone<A> phone = new Phone<>(Robolectric.buildActivity(screen, intent).setup());
        phone.settle();
        return phone;
    }

    A activity() {
        return controller.get();
    }

    static Library library() {
        return BooksApplication.library(RuntimeEnvironment.getApplication());
    }

    static LibraryState state() {
        return library().state();
    }

    static void waitUntilOpen() {
        final boolean[] reached = {false};
        library().modelCard(card -> reached[0] = true);
        await(reached);
    }

    /** Waits until everything that was asked for has been answered and shown. */
    void settle() {
        for (int round = 0; round < 3; round++) { // an answer may ask for more
            waitUntilOpen();
            shadowOf(Looper.getMainLooper()).idle();
        }
    }

    static void await(boolean[] reached) {
        long end = System.currentTimeMillis() + PATIENCE_MS;
        while (!reached[0]) {
            shadowOf(Looper.getMainLooper()).idle();
            if (System.currentTimeMillis() > end) {
                fail("nothing happened for " + PATIENCE_MS + " ms");
            }
            try {
                Thread.sleep(1); // the app's own thread needs the processor
            } catch (InterruptedException error) {
                throw new AssertionError(error);
            }
        }
    }

    /** Waits until every suggestion says why. */
    void waitForReasons() {
        long end = System.currentTimeMillis() + PATIENCE_MS;
        while (!state().explained) {
            assertTrue("reasons come", System.currentTimeMillis() < end);
            settle();
        }
    }

    void tap(int id) {
        View view = activity().findViewById(id);
        assertTrue("it is there to be tapped", view.isShown());
        view.performClick();
        settle();
    }

    void type(String text) {
        ((EditText) activity().findViewById(R.id.search)).setText(text);
        settle();
    }

    String text(int id) {
        TextView view = activity().findViewById(id);
        return view.isShown() ? view.getText().toString() : "";
    }

    /** The list that is seen. */
    ListView list() {
        for (int id : new int[] {R.id.rows, R.id.shelf_list, R.id.found_list, R.id.for_you_list,
            R.id.about_list}) {
            View view = activity().findViewById(id);
            if (view != null && view.isShown()) {
                return (ListView) view;
            }
        }
        throw new AssertionError("no list is shown");
    }

    List<Row> rows() {
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < list().getCount(); i++) {
            rows.add((Row) list().getItemAtPosition(i));
        }
        return rows;
    }

    /** Titles of the rows that are books, from the first or from a heading on. */
    List<String> titles() {
        return titlesAfter(null);
    }

    List<String> titlesAfter(String heading) {
        List<String> titles = new ArrayList<>();
        boolean reached = heading == null;
        for (Row row : rows()) {
            if (row.kind == Row.Kind.HEADING && heading != null) {
                reached = row.title.equals(heading);
            } else if (reached && row.kind == Row.Kind.BOOK) {
                titles.add(row.title);
            }
        }
        return titles;
    }

    /** Every sentence on the page. */
    String said() {
        StringBuilder said = new StringBuilder();
        for (Row row : rows()) {
            said.append(row.title).append('\n').append(row.second).append('\n');
        }
        return said.toString();
    }

    /** The place of a row by its title; fails where there is none. */
    int place(String title) {
        List<Row> rows = rows();
        for (int i = 0; i < rows.size(); i++) {
            if (rows.get(i).title.equals(title)) {
                return i;
            }
        }
        throw new AssertionError("no row " + title + " in " + said());
    }

    /** The view of a row, scrolled to. */
    View row(int place) {
        ListView list = list();
        // As a finger would: setSelection does nothing on a list that was never touched.
        for (int steps = 0; steps < 4 * list.getCount() && place > lastWhole(list); steps++) {
            list.scrollListBy(list.getHeight() / 2);
            shadowOf(Looper.getMainLooper()).idle();
        }
        for (int steps = 0; steps < 4 * list.getCount() && place < firstWhole(list); steps++) {
            list.scrollListBy(-list.getHeight() / 2);
            shadowOf(Looper.getMainLooper()).idle();
        }
        View view = list.getChildAt(place - list.getFirstVisiblePosition());
        assertTrue("row " + place + " is on the screen: " + list.getFirstVisiblePosition() + " to "
                + list.getLastVisiblePosition() + " of " + list.getCount(), view != null);
        return view;
    }

    private static int firstWhole(ListView list) {
        View first = list.getChildAt(0);
        boolean whole = first != null && first.getTop() >= list.getPaddingTop();
        return list.getFirstVisiblePosition() + (whole ? 0 : 1);
    }

    private static int lastWhole(ListView list) {
        View last = list.getChildAt(list.getChildCount() - 1);
        boolean whole = last != null
                && last.getBottom() <= list.getHeight() - list.getPaddingBottom();
        return list.getLastVisiblePosition() - (whole ? 0 : 1);
    }

    /** Taps the icon at the end of a book's row. */
    void tapAction(String title) {
        tapIn(title, R.id.action);
    }

    void tapBook(String title) {
        tapIn(title, R.id.book);
    }

    void tapButton(String text) {
        tapIn(text, R.id.button);
    }

    private void tapIn(String title, int id) {
        assertTrue(row(place(title)).findViewById(id).performClick());
        settle();
    }

    /** Puts books on the shelf by their item ids, oldest first. */
    void shelve(List<String> itemIds) {
        for (String itemId : itemIds) {
            final boolean[] reached = {false};
            library().details(itemId, details -> {
                library().add(Library.shelfBook(details.book));
                reached[0] = true;
            });
            await(reached);
        }
        settle();
        assertEquals(itemIds.size(), state().shelf.size());
    }

    /** As {@link #shelve}, for many books: as if they had been put there in an earlier life. */
    void shelveBefore(List<String> itemIds) {
        List<ShelfBook> books = new ArrayList<>();
        for (String itemId : itemIds) {
            books.add(Library.shelfBook(book(itemId)));
        }
        try (Shelf shelf = new Shelf(RuntimeEnvironment.getApplication())) {
            shelf.addImported(books, new ArrayList<ShelfBook>(),
                    new ImportReport(null, null, new ArrayList<String[]>()));
        }
        killProcess();
        assertEquals(itemIds.size(), state().shelf.size());
    }

    static Book book(String itemId) {
        final Book[] book = new Book[1];
        final boolean[] reached = {false};
        library().details(itemId, details -> {
            book[0] = details == null ? null : details.book;
            reached[0] = true;
        });
        await(reached);
        return book[0];
    }

    /** Turns the phone: the screen is made anew from what it saved. */
    void turn() {
        controller.recreate();
        settle();
    }

    /** The system kills the process in the background; the reader comes back later. */
    void killProcess() {
        android.os.Bundle saved = new android.os.Bundle();
        Class<?> screen = activity().getClass();
        Intent intent = activity().getIntent();
        controller.pause().saveInstanceState(saved).stop().destroy();
        ((TestApplication) RuntimeEnvironment.getApplication()).restartProcess();
        @SuppressWarnings("unchecked")
        Class<A> same = (Class<A>) screen;
        controller = Robolectric.buildActivity(same, intent).setup(saved);
        settle();
    }

    /** Writes what the screen shows. */
    void photograph(File file) throws IOException {
        shadowOf(Looper.getMainLooper()).idle();
        View screen = activity().getWindow().getDecorView();
        Bitmap bitmap = Bitmap.createBitmap(screen.getWidth(), screen.getHeight(),
                Bitmap.Config.ARGB_8888);
        screen.draw(new Canvas(bitmap));
        file.getParentFile().mkdirs();
        try (OutputStream out = new FileOutputStream(file)) {
            assertTrue(bitmap.compress(Bitmap.CompressFormat.PNG, 100, out));
        }
    }
}
