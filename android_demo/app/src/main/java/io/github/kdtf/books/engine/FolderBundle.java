package io.github.kdtf.books.engine;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.util.HashMap;
import java.util.Map;

/**
 * A bundle in a folder, for example one that an app has fetched.
 *
 * <p>Each file is opened once, so that the bytes whose hash was checked are the bytes that are used,
 * also when another file takes the name meanwhile. Replace files by renaming: a file that is cut off
 * in place ends the process that has mapped it.
 */
public final class FolderBundle implements BundleFiles {
    private final File folder;
    private final Map<String, ByteBuffer> contents = new HashMap<>();

    public FolderBundle(File folder) {
        this.folder = folder;
    }

    @Override
    public InputStream open(String name) throws IOException {
        return new BufferStream(map(name));
    }

    @Override
    public synchronized ByteBuffer map(String name) throws IOException {
        ByteBuffer content = contents.get(name);
        if (content == null) {
            try (FileInputStream stream = new FileInputStream(new File(folder, name))) {
                FileChannel channel = stream.getChannel();
                content = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
            }
            contents.put(name, content);
        }
        return content.duplicate().order(ByteOrder.nativeOrder());
    }

    private static final class BufferStream extends InputStream {
        private final ByteBuffer content;

        BufferStream(ByteBuffer content) {
            this.content = content;
        }

        @Override
        public int read() {
            return content.hasRemaining() ? content.get() & 255 : -1;
        }

        @Override
        public int read(byte[] bytes, int start, int count) {
            if (count > 0 && !content.hasRemaining()) {
                return -1;
            }
            int some = Math.min(count, content.remaining());
            content.get(bytes, start, some);
            return some;
        }
    }
}
