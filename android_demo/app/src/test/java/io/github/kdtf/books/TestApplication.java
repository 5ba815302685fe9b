package io.github.kdtf.books;

import android.content.SharedPreferences;
import io.github.kdtf.books.engine.BundleFiles;

/** The app with another bundle than the one of its assets, where a test sets one. */
public class TestApplication extends BooksApplication {
    static BundleFiles bundle;

    /** Most tests compare with what the first model alone says. */
    @Override
    public void onCreate() {
        SharedPreferences preferences = getSharedPreferences(Library.RERANKING, MODE_PRIVATE);
        if (!preferences.contains(Library.ON)) {
            preferences.edit().putBoolean(Library.ON, false).commit();
        }
        super.onCreate();
    }

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
