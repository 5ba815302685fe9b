package io.github.kdtf.books.engine;

import android.database.sqlite.SQLiteConstraintException;
import android.database.sqlite.SQLiteDatabase;
import android.database.sqlite.SQLiteStatement;
import android.util.JsonReader;
import android.util.JsonToken;
import io.github.kdtf.books.engine.BundleException.Problem;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/** catalog.json, a book at a time, into the tables of {@link Catalog}. */
final class CatalogReader implements AutoCloseable {
    private static final int VERSION = 1;
    private static final int BOOKS_A_REPORT = 500;

    /** Characters that the words of a book may have. */
    private static final int MAX_WORDS_LENGTH = 1000;

    private final SQLiteStatement book;
    private final SQLiteStatement titleWords;
    private int count;

    static void read(BundleFiles files, int books, SQLiteDatabase database,
            Catalog.Progress progress) throws BundleException {
        try (JsonReader json = new JsonReader(new InputStreamReader(
                        files.open(BundleFiles.CATALOG), StandardCharsets.UTF_8));
                CatalogReader reader = new CatalogReader(database)) {
            reader.read(json, books, progress);
        } catch (IOException | IllegalStateException | NumberFormatException error) {
            // The hash was right, so this is how the file was made: JSON, but not a catalogue.
            throw damaged("it is not a catalogue: " + error.getMessage());
        }
    }

    private CatalogReader(SQLiteDatabase database) {
        book = database.compileStatement("INSERT INTO book (id, item_id, title, authors, series,"
                + " genre, year, text, isbn, title_key, short_title_key, words, is_new)"
                + " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        titleWords = database.compileStatement("INSERT INTO book_words (docid, words) VALUES (?, ?)");
    }

    /** A statement left open would keep the database open after it is closed. */
    @Override
    public void close() {
        book.close();
        titleWords.close();
    }

    private void read(JsonReader json, int books, Catalog.Progress progress)
            throws IOException, BundleException {
        boolean versioned = false;
        boolean listed = false;
        json.beginObject();
        while (json.hasNext()) {
            String key = json.nextName();
            if (key.equals("version")) {
                int version = json.nextInt();
                if (version != VERSION) {
                    throw new BundleException(Problem.OTHER_VERSION, BundleFiles.CATALOG,
                            "catalogue version " + version + ", this app reads " + VERSION);
                }
                versioned = true;
            } else if (key.equals("books")) {
                json.beginArray();
                while (json.hasNext()) {
                    insert(json);
                    if (progress != null && count % BOOKS_A_REPORT == 0) {
                        progress.onBooks(count, books);
                    }
                }
                json.endArray();
                listed = true;
            } else {
                json.skipValue();
            }
        }
        json.endObject();
        if (!versioned || !listed) {
            throw damaged("it must have a version and a list of books");
        }
        if (count == 0) {
            throw new BundleException(Problem.EMPTY_CATALOG, BundleFiles.CATALOG, "no book in it");
        }
        if (count != books) {
            throw new BundleException(Problem.MISMATCH, BundleFiles.CATALOG,
                    "it has " + count + " books, " + BundleFiles.CONFIG + " says " + books);
        }
    }

    private void insert(JsonReader json) throws IOException, BundleException {
        count++;
        int id = 0;
        Integer year = null;
        String itemId = null;
        String title = null;
        String authors = null;
        String series = null;
        String genre = null;
        String text = null;
        String isbn = null;
        String words = null;
        boolean isNew = false;
        json.beginObject();
        while (json.hasNext()) {
            String key = json.nextName();
            if (json.peek() == JsonToken.NULL) {
                json.nextNull();
                continue;
            }
            switch (key) {
                case "id": id = json.nextInt(); break;
                case "item_id": itemId = text(json, key); break;
                case "title": title = text(json, key); break;
                case "authors": authors = text(json, key); break;
                case "series": series = text(json, key); break;
                case "genre": genre = text(json, key); break;
                case "year": year = json.nextInt(); break;
                case "text": text = text(json, key); break;
                case "isbn": isbn = text(json, key); break;
                case "words": words = text(json, key); break;
                case "new": isNew = truth(json, key); break;
                default: json.skipValue();
            }
        }
        json.endObject();
        if (id != count) {
            throw damaged("book " + count + " has the id " + id);
        }
        if (itemId == null || itemId.isEmpty()) {
            throw damaged("book " + count + " has no item_id");
        }
        if (words != null && words.codePointCount(0, words.length()) > MAX_WORDS_LENGTH) {
            throw damaged("book " + count + ": words must have at most " + MAX_WORDS_LENGTH
                    + " characters");
        }
        book.clearBindings();
        book.bindLong(1, id);
        bind(2, itemId);
        bind(3, title);
        bind(4, authors);
        bind(5, series);
        bind(6, genre);
        if (year != null) {
            book.bindLong(7, year);
        }
        bind(8, text);
        bind(9, isbn);
        if (title != null) {
            bind(10, TitleKey.full(title));
            bind(11, TitleKey.withoutSubtitle(title));
        }
        bind(12, words);
        book.bindLong(13, isNew ? 1 : 0);
        try {
            book.executeInsert();
        } catch (SQLiteConstraintException error) {
            throw damaged("two books have the item_id " + itemId);
        }
        titleWords.bindLong(1, id);
        titleWords.bindString(2, PlainText.spaced(PlainText.of(
                blank(title) + " " + blank(authors) + " " + blank(series))));
        titleWords.executeInsert();
    }

    private void bind(int place, String value) {
        if (value != null) {
            book.bindString(place, value);
        }
    }

    private String text(JsonReader json, String key) throws IOException, BundleException {
        if (json.peek() != JsonToken.STRING) {
            throw damaged("book " + count + ": " + key + " must be a text");
        }
        return json.nextString();
    }

    private boolean truth(JsonReader json, String key) throws IOException, BundleException {
        if (json.peek() != JsonToken.BOOLEAN) {
            throw damaged("book " + count + ": " + key + " must be true or false");
        }
        return json.nextBoolean();
    }

    private static String blank(String text) {
        return text == null ? "" : text;
    }

    private static BundleException damaged(String what) {
        return new BundleException(Problem.DAMAGED_FILE, BundleFiles.CATALOG, what);
    }
}
