package io.github.kdtf.books;

import android.app.Application;
import android.content.Context;
import io.github.kdtf.books.engine.AssetBundle;
import io.github.kdtf.books.engine.BundleFiles;

/** Holds the library for as long as the process lives, so that turning the phone costs nothing. */
public class BooksApplication extends Application {
    private Library library;

    static Library library(Context context) {
        return ((BooksApplication) context.getApplicationContext()).library;
    }

    @Override
    public void onCreate() {
        super.onCreate();
        library = new Library(this, bundle());
    }

    /** Only called where processes are simulated, as in tests. */
    @Override
    public void onTerminate() {
        library.close();
        super.onTerminate();
    }

    /** The bundle that came with the app. */
    BundleFiles bundle() {
        return new AssetBundle(getAssets(), "bundle");
    }
}
