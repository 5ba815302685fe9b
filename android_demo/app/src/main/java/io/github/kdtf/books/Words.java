package io.github.kdtf.books;

import android.content.res.Resources;
import io.github.kdtf.books.engine.BundleException;
import io.github.kdtf.books.shelf.Change;
import java.text.NumberFormat;
import java.util.List;

/** Sentences that are the same on several pages, in the reader's language. */
final class Words {
    private Words() {}

    /** What a screen reader says of a book; authors may be null. */
    static String book(Resources resources, String title, String authors) {
        return authors == null ? title : resources.getString(R.string.by_authors, title, authors);
    }

    /** "Because you read ..."; null for no titles. */
    static String because(Resources resources, List<String> titles) {
        if (titles.isEmpty()) {
            return null;
        }
        return titles.size() == 1 ? resources.getString(R.string.because_one, titles.get(0))
                : resources.getString(R.string.because_two, titles.get(0), titles.get(1));
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
