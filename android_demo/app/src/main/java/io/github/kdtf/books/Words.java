package io.github.kdtf.books;

import android.content.res.Resources;
import android.text.TextUtils;
import io.github.kdtf.books.engine.Book;
import io.github.kdtf.books.engine.BundleException;
import io.github.kdtf.books.engine.SharedTraits;
import io.github.kdtf.books.shelf.Change;
import java.text.NumberFormat;
import java.util.ArrayList;
import java.util.List;

/** Sentences that are the same on several pages, in the reader's language. */
final class Words {
    private Words() {}

    /** What a screen reader says of a book; authors may be null. */
    static String book(Resources resources, String title, String authors) {
        return authors == null ? title : resources.getString(R.string.by_authors, title, authors);
    }

    /** "Because you read ...", and what each shares with the book; null for no reasons. */
    static String because(Resources resources, Book book, List<Book> reasons) {
        if (reasons.isEmpty()) {
            return null;
        }
        String first = reason(resources, book, reasons.get(0));
        return reasons.size() == 1 ? resources.getString(R.string.because_one, first)
                : resources.getString(R.string.because_two, first,
                        reason(resources, book, reasons.get(1)));
    }

    private static String reason(Resources resources, Book book, Book read) {
        String title = resources.getString(R.string.quoted, shortTitle(read));
        String shared = shared(resources, book, read);
        return shared == null ? title : resources.getString(R.string.reason, title, shared);
    }

    /** A title within a sentence, without the series in brackets. */
    static String shortTitle(Book book) {
        return book.name().replaceFirst(" \\([^()]*\\)$", "");
    }

    /** What a book that was read shares with another one; null for nothing. */
    static String shared(Resources resources, Book book, Book read) {
        SharedTraits traits = SharedTraits.of(book, read);
        List<String> parts = new ArrayList<>();
        if (!traits.authors.isEmpty()) {
            parts.add(resources.getQuantityString(R.plurals.shared_authors,
                    traits.authors.size()));
        }
        if (traits.sameSeries) {
            parts.add(resources.getString(R.string.shared_series));
        }
        if (!traits.words.isEmpty()) {
            parts.add(resources.getString(R.string.shared_words,
                    TextUtils.join(resources.getString(R.string.between_words), traits.words)));
        }
        return parts.isEmpty() ? null
                : TextUtils.join(resources.getString(R.string.between_traits), parts);
    }

    static String done(Resources resources, Change change) {
        switch (change.kind) {
            case ADDED: return resources.getString(R.string.done_added, change.name);
            case REMOVED: return resources.getString(R.string.done_removed, change.name);
            case HIDDEN: return resources.getString(R.string.done_hidden, change.name);
            case SHOWN:
                return change.count == 1 ? resources.getString(R.string.done_shown_one, change.name)
                        : resources.getQuantityString(R.plurals.done_shown, change.count,
                                change.count);
            default:
                return resources.getQuantityString(R.plurals.done_imported, change.count,
                        change.count);
        }
    }

    static int refusal(BundleException.Problem problem) {
        switch (problem) {
            case OTHER_VERSION: return R.string.refused_other_version;
            case MISSING_FILE: return R.string.refused_missing_file;
            case DAMAGED_FILE: return R.string.refused_damaged_file;
            case MISMATCH: return R.string.refused_mismatch;
            case EMPTY_CATALOG: return R.string.refused_empty_catalog;
            case NEEDS_NEWER_RUNTIME: return R.string.refused_needs_newer_runtime;
            case MODEL_REFUSED: return R.string.refused_model_refused;
            default: return R.string.refused_no_space;
        }
    }

    static String number(long number) {
        return NumberFormat.getIntegerInstance().format(number);
    }
}
