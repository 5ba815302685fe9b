package io.github.kdtf.books.readinglists;

import io.github.kdtf.books.readinglists.ReadingListException.Reason;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/** The bytes of a file, as text. */
final class FileBytes {
    static final int MAX_BYTES = 20000000;

    private static final String BOOKS_OF_OPENREADS = "books.backup";

    private FileBytes() {}

    static String read(InputStream stream) throws ReadingListException {
        byte[] content;
        try {
            content = readAll(stream);
        } catch (IOException | RuntimeException error) { // another app hands the file over
            throw new ReadingListException(Reason.UNREADABLE);
        }
        byte[] books = unpack(checkSize(content));
        return decode(books == null ? content : checkSize(books));
    }

    private static byte[] checkSize(byte[] content) throws ReadingListException {
        if (content.length > MAX_BYTES) {
            throw new ReadingListException(Reason.TOO_LARGE);
        }
        return content;
    }

    /** All bytes, or a few more than are allowed. */
    private static byte[] readAll(InputStream stream) throws IOException {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        byte[] buffer = new byte[1 << 16];
        for (int count; content.size() <= MAX_BYTES && (count = stream.read(buffer)) > 0; ) {
            content.write(buffer, 0, count);
        }
        return content.toByteArray();
    }

    /** The file with the books in a backup of Openreads; null if it is no such archive. */
    private static byte[] unpack(byte[] content) {
        if (!startsWith(content, 'P', 'K', 3, 4)) {
            return null;
        }
        try (ZipInputStream archive = new ZipInputStream(new ByteArrayInputStream(content))) {
            for (ZipEntry entry; (entry = archive.getNextEntry()) != null; ) {
                if (entry.getName().equals(BOOKS_OF_OPENREADS)) {
                    return readAll(archive);
                }
            }
        } catch (IOException | RuntimeException error) {
            return null; // then it is refused as no text
        }
        return null;
    }

    private static String decode(byte[] bytes) throws ReadingListException {
        Charset charset = StandardCharsets.UTF_8;
        int mark = 0;
        if (startsWith(bytes, 0xEF, 0xBB, 0xBF)) {
            mark = 3;
        } else if (startsWith(bytes, 0xFF, 0xFE)) {
            charset = StandardCharsets.UTF_16LE;
            mark = 2;
        } else if (startsWith(bytes, 0xFE, 0xFF)) {
            charset = StandardCharsets.UTF_16BE;
            mark = 2;
        }
        try {
            return charset.newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(ByteBuffer.wrap(bytes, mark, bytes.length - mark)).toString();
        } catch (CharacterCodingException error) {
            if (mark == 0 && isOldLibraryThing(bytes)) {
                return new String(bytes, Charset.forName("windows-1252"));
            }
            throw new ReadingListException(Reason.ENCODING);
        }
    }

    /** Latin-1 would decode anything; the first line of these exports is unmistakable. */
    private static boolean isOldLibraryThing(byte[] bytes) {
        String start = new String(bytes, 0, Math.min(bytes.length, 10000),
                StandardCharsets.ISO_8859_1);
        String line = start.split("[\r\n]", 2)[0];
        return line.indexOf('\t') >= 0
                && line.toLowerCase(Locale.ROOT).contains("primary author");
    }

    private static boolean startsWith(byte[] bytes, int... start) {
        for (int i = 0; i < start.length; i++) {
            if (i == bytes.length || (bytes[i] & 0xFF) != start[i]) {
                return false;
            }
        }
        return true;
    }
}
