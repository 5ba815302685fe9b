package io.github.kdtf.books;

import io.github.kdtf.books.engine.BundleFiles;

/** The app with another bundle than the one of its assets, where a test sets one. */
public class TestApplication extends BooksApplication {
    static BundleFiles bundle;

    @Override
    BundleFiles bundle() {
        return bundle != null ? bundle : super.bundle();
    }

    /** As if the process had been killed and begun anew: only what was stored is left. */
    void restartProcess() {
        onTerminate();
        onCreate();
    }
}
