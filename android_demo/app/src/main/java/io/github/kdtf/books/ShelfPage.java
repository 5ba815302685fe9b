package io.github.kdtf.books;

import android.content.Intent;
import android.content.res.Resources;
import android.view.View;
import io.github.kdtf.books.engine.Book;
import io.github.kdtf.books.shelf.ShelfBook;
import java.util.ArrayList;
import java.util.List;

/** My shelf: its books, those kept aside, the import; and what a search finds. */
final class ShelfPage {
    private static final int START_BOOKS = 10;

    private final MainActivity activity;
    private final Resources resources;
    private final BookRows books;
    private final RowAdapter shelf;
    private final RowAdapter found;

    ShelfPage(MainActivity activity, Library library) {
        this.activity = activity;
        resources = activity.getResources();
        books = new BookRows(activity, library);
        shelf = new RowAdapter(activity.<android.widget.ListView>findViewById(R.id.shelf_list));
        found = new RowAdapter(activity.<android.widget.ListView>findViewById(R.id.found_list));
    }

    void show(LibraryState state) {
        List<Row> rows = new ArrayList<>();
        boolean ready = state.phase == LibraryState.Phase.READY;
        if (state.phase == LibraryState.Phase.REFUSED) {
            rows.addAll(RefusalRows.of(resources, state.refusal));
        } else if (ready && state.shelf.isEmpty()) {
            rows.add(Row.sheet(resources.getString(R.string.shelf_empty_title),
                    resources.getString(R.string.shelf_empty)));
        }
        if (ready && state.shelf.isEmpty()) {
            addImport(rows, state);
            addStart(rows, state);
        }
        for (ShelfBook one : state.shelf) {
            rows.add(ready ? books.shelved(one) : books.aside(one));
        }
        if (!state.aside.isEmpty()) {
            rows.add(Row.heading(resources.getString(R.string.aside_title)));
            rows.add(Row.note(resources.getQuantityString(R.plurals.aside_note,
                    state.aside.size(), state.aside.size())));
            for (ShelfBook one : state.aside) {
                rows.add(books.aside(one));
            }
        }
        if (ready && !state.shelf.isEmpty()) {
            addImport(rows, state);
        }
        shelf.show(rows);
    }

    void showFound(List<Book> list, LibraryState state) {
        List<Row> rows = new ArrayList<>();
        for (Book one : list) {
            rows.add(books.found(one, state.hasOnShelf(one.itemId)));
        }
        found.show(rows);
    }

    /** What many readers like, so that a first shelf takes no typing. */
    private void addStart(List<Row> rows, LibraryState state) {
        rows.add(Row.heading(resources.getString(R.string.shelf_start)));
        for (LibraryState.Suggestion one
                : state.forYou.subList(0, Math.min(START_BOOKS, state.forYou.size()))) {
            rows.add(books.found(one.book, false));
        }
    }

    private void addImport(List<Row> rows, LibraryState state) {
        Row choose = Row.button(resources.getString(R.string.import_action), opens(false));
        choose.quiet = !state.shelf.isEmpty();
        rows.add(choose);
        if (state.lastImport != null) {
            Row last = Row.button(resources.getString(R.string.import_last), opens(true));
            last.quiet = true;
            rows.add(last);
        }
    }

    private View.OnClickListener opens(final boolean last) {
        return new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                activity.startActivity(new Intent(activity, ImportActivity.class)
                        .putExtra(ImportActivity.LAST, last));
            }
        };
    }
}
