package io.github.kdtf.books;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import android.content.Context;
import io.github.kdtf.books.engine.AssetBundle;
import io.github.kdtf.books.engine.Book;
import io.github.kdtf.books.engine.BundleConfig;
import io.github.kdtf.books.engine.Catalog;
import io.github.kdtf.books.readinglists.ReadingListException;
import io.github.kdtf.books.readinglists.ReadingListImport;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;

/** The files of tests/reading_lists, which hold every importer of kd_tf to the same rules. */
@RunWith(RobolectricTestRunner.class)
public class ReadingListTest {
    private static final int ROWS = 10000;
    private static final double SECONDS = 2;

    private final File folder = new File(System.getProperty("books.reading_lists"));
    private Catalog catalog;

    @Before
    public void open() throws Exception {
        Context context = RuntimeEnvironment.getApplication();
        BundleFolder bundle = new BundleFolder(new AssetBundle(context.getAssets(), "bundle"));
        bundle.writeCatalog(Expected.json(new File(folder, "catalog.json")).getJSONArray("books"));
        catalog = Catalog.open(context, bundle.files(), BundleConfig.read(bundle.files()), null);
    }

    @After
    public void close() {
        catalog.close();
    }

    @Test
    public void everyFileGivesWhatIsExpected() throws Exception {
        JSONObject expected = Expected.json(new File(folder, "expected.json"));
        int files = 0;
        for (Iterator<String> names = expected.keys(); names.hasNext(); files++) {
            String name = names.next();
            JSONObject one = expected.getJSONObject(name);
            try (InputStream stream = Files.newInputStream(new File(folder, name).toPath())) {
                compare(name, one, stream);
            }
        }
        assertTrue("files: " + files, files > 35);
    }

    @Test
    public void aFileOfMoreThanTwentyMillionBytesIsRefused() throws Exception {
        byte[] large = new byte[20000001];
        java.util.Arrays.fill(large, (byte) 'x');
        try {
            read(large);
            fail("it was read");
        } catch (ReadingListException error) {
            assertEquals(ReadingListException.Reason.TOO_LARGE, error.reason);
        }
    }

    @Test
    public void tenThousandRowsTakeLessThanTwoSeconds() throws Exception {
        StringBuilder text = new StringBuilder("Title,Author,ISBN13,Date Read,Exclusive Shelf\n");
        for (int i = 0; i < ROWS; i++) {
            text.append("\"Invented: A Book, ").append(i).append(" (Series, #").append(i % 9)
                    .append(")\",Author Number ").append(i).append(",\"=\"\"9781900000017\"\"\",")
                    .append(2000 + i % 20).append("/01/02,read\n");
        }
        read(text.toString().getBytes(StandardCharsets.UTF_8)); // warm
        String unmatched = text.toString().replace("9781900000017", "9781900009010");
        long start = System.nanoTime();
        ReadingListImport found = read(unmatched.getBytes(StandardCharsets.UTF_8));
        double seconds = (System.nanoTime() - start) / 1e9;
        System.out.printf(Locale.ROOT, "10,000 rows of a reading list: %.2f s%n", seconds);
        assertEquals(ROWS, found.rows);
        assertEquals(ROWS, found.unmatched.size());
        assertTrue(seconds + " s", seconds < SECONDS);
    }

    private void compare(String name, JSONObject expected, InputStream stream) throws Exception {
        Set<String> shelf = new HashSet<>();
        if (expected.has("shelf")) {
            shelf.addAll(Expected.texts(expected.getJSONArray("shelf")));
        }
        ReadingListImport found;
        try {
            found = ReadingListImport.read(stream, catalog, shelf);
        } catch (ReadingListException error) {
            assertEquals(name, expected.optString("refused"),
                    error.reason.name().toLowerCase(Locale.ROOT).replace('_', '-'));
            return;
        }
        assertTrue(name + " must be refused", !expected.has("refused"));
        assertEquals(name, expected.getInt("rows"), found.rows);
        assertEquals(name, expected.getInt("already"), found.already);
        assertEquals(name, expected.getInt("repeated"), found.repeated);
        assertEquals(name, expected.getInt("unread"), found.unread);
        assertEquals(name, expected.getInt("abandoned"), found.abandoned);
        assertEquals(name, expected.getInt("low_rated"), found.lowRated);
        assertEquals(name, expected.getInt("assumed"), found.assumed);
        assertEquals(name, expected.getInt("unclear_dates"), found.unclearDates);
        assertEquals(name, expected.getString("format"),
                found.format.name().toLowerCase(Locale.ROOT));
        assertEquals(name, Expected.texts(expected.getJSONArray("imported")),
                itemIds(found.imported));
        assertEquals(name, Expected.texts(expected.getJSONArray("excluded")),
                itemIds(found.excluded));
        List<String> unmatched = new ArrayList<>();
        JSONArray wanted = expected.getJSONArray("unmatched");
        for (int i = 0; i < wanted.length(); i++) {
            JSONObject one = wanted.getJSONObject(i);
            unmatched.add(one.getString("title") + " | " + one.getString("author"));
        }
        List<String> left = new ArrayList<>();
        for (String[] one : found.unmatched) {
            left.add(one[0] + " | " + one[1]);
        }
        assertEquals(name, unmatched, left);
    }

    private static List<String> itemIds(List<Book> books) {
        List<String> itemIds = new ArrayList<>();
        for (Book book : books) {
            itemIds.add(book.itemId);
        }
        return itemIds;
    }

    private ReadingListImport read(byte[] bytes) throws ReadingListException {
        return ReadingListImport.read(new ByteArrayInputStream(bytes), catalog,
                Collections.<String>emptySet());
    }
}
