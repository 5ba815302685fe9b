package io.github.kdtf.books;

import android.app.Activity;
import android.content.Context;
import android.content.Intent;
import android.os.Bundle;
import android.view.View;
import android.widget.ListView;
import android.widget.TextView;
import io.github.kdtf.books.engine.Book;
import io.github.kdtf.books.shelf.ShelfBook;
import java.util.ArrayList;
import java.util.List;

/** A book: what is known of it, why it may suit, and books like it. */
public final class BookActivity extends Activity implements Library.Listener {
    private static final String ITEM_ID = "item_id";

    private Library library;
    private LibraryState state;
    private UndoBar undoBar;
    private BookRows books;
    private RowAdapter adapter;

    static Intent of(Context context, String itemId) {
        return new Intent(context, BookActivity.class).putExtra(ITEM_ID, itemId);
    }

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        setContentView(R.layout.activity_list);
        findViewById(R.id.back).setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                finish();
            }
        });
        library = BooksApplication.library(this);
        undoBar = new UndoBar(this, library);
        books = new BookRows(this, library);
        adapter = new RowAdapter(this.<ListView>findViewById(R.id.rows));
        library.addListener(this);
    }

    @Override
    protected void onDestroy() {
        library.removeListener(this);
        super.onDestroy();
    }

    @Override
    public void onLibrary(LibraryState state) {
        this.state = state;
        undoBar.show(state);
        if (state.phase == LibraryState.Phase.OPENING) {
            say(getString(R.string.opening));
            return;
        }
        library.details(getIntent().getStringExtra(ITEM_ID), new Library.Answer<Library.Details>() {
            @Override
            public void on(Library.Details details) {
                show(details);
            }
        });
    }

    private void show(Library.Details details) {
        say(details == null ? getString(R.string.book_gone) : "");
        List<Row> rows = new ArrayList<>();
        if (details != null) {
            Book book = details.book;
            setTitle(book.name());
            Row head = Row.bookHead(book.name(), book.authors, facts(book));
            head.mark = book.isNew ? getString(R.string.new_book) : null;
            rows.add(head);
            addButtons(rows, Library.shelfBook(book));
            if (book.text != null) {
                rows.add(Row.text(book.text));
            }
            addHeading(rows, R.string.book_why, details.reasons);
            for (LibraryState.Suggestion one : details.reasons) {
                rows.add(books.reason(one, book));
            }
            addHeading(rows, R.string.book_similar, details.similar);
            for (LibraryState.Suggestion one : details.similar) {
                rows.add(books.scored(one, R.string.fit));
            }
        }
        adapter.show(rows);
    }

    private void addButtons(List<Row> rows, final ShelfBook book) {
        final boolean onShelf = state.hasOnShelf(book.itemId);
        Row shelf = Row.button(getString(onShelf ? R.string.remove : R.string.add),
                new View.OnClickListener() {
                    @Override
                    public void onClick(View view) {
                        if (onShelf) {
                            library.remove(book);
                        } else {
                            library.add(book);
                        }
                    }
                });
        shelf.quiet = onShelf;
        rows.add(shelf);
        if (onShelf) {
            return; // it is not suggested anyway
        }
        final boolean hidden = state.hides(book.itemId);
        Row hide = Row.button(getString(hidden ? R.string.show_again : R.string.hide),
                new View.OnClickListener() {
                    @Override
                    public void onClick(View view) {
                        if (hidden) {
                            books.showAgain(book);
                        } else {
                            library.hide(book);
                        }
                    }
                });
        hide.quiet = true;
        rows.add(hide);
    }

    private void addHeading(List<Row> rows, int heading, List<LibraryState.Suggestion> list) {
        if (!list.isEmpty()) {
            rows.add(Row.heading(getString(heading)));
        }
    }

    private String facts(Book book) {
        StringBuilder facts = new StringBuilder();
        append(facts, book.genre);
        append(facts, book.series == null ? null : getString(R.string.book_series, book.series));
        append(facts, book.year == null ? null
                : getString(R.string.book_year, Integer.toString(book.year)));
        append(facts, book.isbn == null ? null : getString(R.string.book_isbn, book.isbn));
        return facts.toString();
    }

    private static void append(StringBuilder facts, String fact) {
        if (fact != null) {
            facts.append(facts.length() == 0 ? "" : "\n").append(fact);
        }
    }

    private void say(String sentence) {
        TextView status = findViewById(R.id.status);
        status.setText(sentence);
        status.setVisibility(sentence.isEmpty() ? View.GONE : View.VISIBLE);
    }
}
