package io.github.kdtf.books.engine;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** A bundle in a folder, for example one that an app has fetched. */
public final class FolderBundle implements BundleFiles {
    private final File folder;

    public FolderBundle(File folder) {
        this.folder = folder;
    }

    @Override
    public InputStream open(String name) throws IOException {
        return new FileInputStream(new File(folder, name));
    }

    @Override
    public ByteBuffer map(String name) throws IOException {
        try (FileInputStream stream = new FileInputStream(new File(folder, name))) {
            FileChannel channel = stream.getChannel();
            return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
        }
    }
}
