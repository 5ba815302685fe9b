package io.github.kdtf.books.engine;

import android.content.res.AssetFileDescriptor;
import android.content.res.AssetManager;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** A bundle in a folder of the app's assets. */
public final class AssetBundle implements BundleFiles {
    private final AssetManager assets;
    private final String folder;

    public AssetBundle(AssetManager assets, String folder) {
        this.assets = assets;
        this.folder = folder;
    }

    @Override
    public InputStream open(String name) throws IOException {
        return assets.open(folder + "/" + name);
    }

    /** Works for assets that are stored uncompressed in the APK, as the model must be. */
    @Override
    public ByteBuffer map(String name) throws IOException {
        try (AssetFileDescriptor file = assets.openFd(folder + "/" + name);
                FileInputStream stream = file.createInputStream()) {
            return stream.getChannel().map(FileChannel.MapMode.READ_ONLY,
                    file.getStartOffset(), file.getLength());
        }
    }
}
