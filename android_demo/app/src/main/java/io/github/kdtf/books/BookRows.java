package io.github.kdtf.books;

import android.app.Activity;
import android.content.res.Resources;
import android.view.View;
import io.github.kdtf.books.engine.Book;
import io.github.kdtf.books.shelf.ShelfBook;
import java.util.Collections;

/** Rows of books that open a book's page, and the icons that put them somewhere. */
final class BookRows {
    private final Activity activity;
    private final Resources resources;
    private final Library library;

    BookRows(Activity activity, Library library) {
        this.activity = activity;
        this.resources = activity.getResources();
        this.library = library;
    }

    /** A book of the catalogue, with an icon that puts it on the shelf or takes it off. */
    Row found(Book book, boolean onShelf) {
        Row row = linked(book);
        if (onShelf) {
            row.third = resources.getString(R.string.on_shelf);
            row.spoken += ". " + row.third;
        }
        return withShelfAction(row, Library.shelfBook(book), onShelf);
    }

    /** A book of the shelf that the catalogue has. */
    Row shelved(ShelfBook book) {
        Row row = named(book);
        row.onClick = opens(book.itemId);
        return withShelfAction(row, book, true);
    }

    /** A book of the shelf that the catalogue does not have. */
    Row aside(ShelfBook book) {
        return withShelfAction(named(book), book, true);
    }

    /** A book to read next, with its bar and an icon that hides it. */
    Row suggested(LibraryState.Suggestion suggestion) {
        final ShelfBook book = Library.shelfBook(suggestion.book);
        boolean isRanked = !Double.isNaN(suggestion.prediction);
        Row row = scored(suggestion, isRanked ? R.string.fit_now : R.string.fit);
        row.third = Words.because(resources, suggestion.book, suggestion.because);
        if (row.third != null) {
            row.spoken += ". " + row.third;
        }
        row.actionIcon = R.drawable.ic_hide;
        row.actionLabel = resources.getString(R.string.hide_book, book.name());
        row.onAction = new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                library.hide(book);
            }
        };
        return row;
    }

    /** A book with a bar; `meaning` says what it means. */
    Row scored(LibraryState.Suggestion suggestion, int meaning) {
        Row row = linked(suggestion.book);
        row.percent = suggestion.percent;
        row.spoken += ". " + resources.getString(meaning, suggestion.percent);
        return row;
    }

    /** A book of the shelf that speaks for another one, with what both share. */
    Row reason(LibraryState.Suggestion read, Book book) {
        Row row = scored(read, R.string.book_weight);
        row.third = Words.shared(resources, book, read.book);
        if (row.third != null) {
            row.spoken += ". " + row.third;
        }
        return row;
    }

    /** Lets a hidden book be suggested again. */
    void showAgain(ShelfBook book) {
        library.show(Collections.singletonList(book));
    }

    private Row linked(Book book) {
        Row row = named(Library.shelfBook(book));
        if (book.isNew) {
            row.mark = resources.getString(R.string.new_book);
            row.spoken += ". " + row.mark;
        }
        row.onClick = opens(book.itemId);
        return row;
    }

    private Row named(ShelfBook book) {
        Row row = Row.book(book.name(), book.authors);
        row.spoken = Words.book(resources, book.name(), book.authors);
        return row;
    }

    private Row withShelfAction(Row row, final ShelfBook book, final boolean onShelf) {
        row.actionIcon = onShelf ? R.drawable.ic_close : R.drawable.ic_add;
        row.actionLabel = resources.getString(
                onShelf ? R.string.remove_book : R.string.add_book, book.name());
        row.onAction = new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                if (onShelf) {
                    library.remove(book);
                } else {
                    library.add(book);
                }
            }
        };
        return row;
    }

    private View.OnClickListener opens(final String itemId) {
        return new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                activity.startActivity(BookActivity.of(activity, itemId));
            }
        };
    }
}
