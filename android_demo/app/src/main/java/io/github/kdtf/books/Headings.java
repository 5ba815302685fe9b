package io.github.kdtf.books;

import android.os.Build;
import android.view.View;

/** Headings, between which a screen reader can jump. */
final class Headings {
    private Headings() {}

    static void mark(View view) {
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.P) {
            view.setAccessibilityHeading(true);
        }
    }
}
