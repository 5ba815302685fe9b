package io.github.kdtf.books.engine;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;

/** Where the files of a bundle lie: in the app's assets, or in a folder. */
public interface BundleFiles {
    String MODEL = "model.tflite";
    String CATALOG = "catalog.json";
    String CONFIG = "config.json";
    String MODEL_CARD = "MODEL_CARD.md";
    String FEATURES = "features.json";
    String ITEMS = "items.json";
    String SOURCES = "sources.json";

    /** Reads one file of the bundle, by its path in it, from its beginning. */
    InputStream open(String name) throws IOException;

    /** The content of one file, mapped into memory and not copied. */
    ByteBuffer map(String name) throws IOException;
}
