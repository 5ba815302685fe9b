package io.github.kdtf.books;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.app.Activity;
import android.content.Intent;
import android.net.Uri;
import android.os.Looper;
import io.github.kdtf.books.engine.AssetBundle;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Arrays;
import org.json.JSONArray;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;

/** A reading list through the file picker onto the shelf, on screen. */
@RunWith(RobolectricTestRunner.class)
public class ImportTest {
    private static final Uri DOCUMENT = Uri.parse("content://documents/library.csv");

    private final File folder = new File(System.getProperty("books.reading_lists"));
    private Phone<ImportActivity> page;

    @Before
    public void open() throws Exception {
        TestApplication application = (TestApplication) RuntimeEnvironment.getApplication();
        BundleFolder bundle = new BundleFolder(new AssetBundle(application.getAssets(), "bundle"));
        // The model knows more books than these: the others stay behind them.
        JSONArray books = bundle.catalog().getJSONArray("books");
        JSONArray invented = Expected.json(new File(folder, "catalog.json")).getJSONArray("books");
        for (int i = 0; i < invented.length(); i++) {
            books.put(i, invented.getJSONObject(i));
        }
        bundle.writeCatalog(books);
        TestApplication.bundle = bundle.files();
        application.restartProcess();
        page = Phone.open(ImportActivity.class, new Intent(application, ImportActivity.class));
        assertEquals("" + Phone.state().refusal, LibraryState.Phase.READY, Phone.state().phase);
    }

    @After
    public void close() {
        TestApplication.bundle = null;
    }

    @Test
    public void theSystemsOwnPickerIsAsked() {
        page.tapButton(page.activity().getString(R.string.import_choose));
        Intent asked = shadowOf(page.activity()).getNextStartedActivityForResult().intent;
        assertEquals(Intent.ACTION_OPEN_DOCUMENT, asked.getAction());
        assertTrue(asked.hasCategory(Intent.CATEGORY_OPENABLE));
    }

    @Test
    public void anExportIsReadAndWhatIsMissingIsListed() throws Exception {
        choose(Files.readAllBytes(new File(folder, "export.csv").toPath()));
        assertEquals(Arrays.asList("lantern", "salt", "cafe", "dust", "river"),
                new java.util.ArrayList<>(itemIds()));
        String said = page.said();
        assertTrue(said, said.contains("A Book Nobody Catalogued, by Vera Nowhere"));
        assertTrue(said, said.contains("A file of Goodreads"));
        assertTrue(said, said.contains("2 are not read yet"));
        assertTrue(said, said.contains("1 will not be suggested"));
        assertTrue("the one that is being read", Phone.state().hides("garden"));
        page.turn();
        assertEquals(said, page.said());
        page.killProcess();
        assertEquals(said, page.said());
        page.tap(R.id.undo);
        assertTrue(Phone.state().shelf.isEmpty());
        assertTrue(Phone.state().hidden.isEmpty());
        assertTrue("the report stays", page.said().contains("Vera Nowhere"));
    }

    @Test
    public void everyOtherServiceIsNamed() throws Exception {
        String[][] files = {
            {"storygraph.csv", "A file of StoryGraph"},
            {"librarything_utf16.tsv", "A file of LibraryThing"},
            {"openreads.backup", "A file of Openreads"},
            {"table_semicolons.csv", page.activity().getString(R.string.import_table)},
        };
        for (String[] one : files) {
            choose(Files.readAllBytes(new File(folder, one[0]).toPath()));
            assertTrue(one[0] + ": " + page.said(), page.said().contains(one[1]));
        }
    }

    @Test
    public void whatIsNoExportIsRefusedInWordsAndChangesNothing() throws Exception {
        page.shelve(Arrays.asList("cafe"));
        Object[][] files = {
            {"refused_empty.csv", R.string.import_no_title_column},
            {"refused_no_rows.csv", R.string.import_no_rows},
            {"refused_no_title.csv", R.string.import_no_title_column},
            {"refused_latin1.csv", R.string.import_encoding},
            {"refused_zip.csv", R.string.import_encoding},
            {"refused_backup.backup", R.string.import_damaged_backup},
            {"refused_unclosed_quote.csv", R.string.import_unclosed_quote},
        };
        for (Object[] one : files) {
            choose(Files.readAllBytes(new File(folder, (String) one[0]).toPath()));
            String said = page.said();
            assertTrue(one[0] + ": " + said,
                    said.contains(page.activity().getString((Integer) one[1])));
            assertTrue(said.contains(page.activity().getString(R.string.import_kept)));
            assertTrue("it says how to get one",
                    said.contains(page.activity().getString(R.string.import_how)));
            assertEquals(Arrays.asList("cafe"), itemIds());
        }
    }

    @Test
    public void aFileThatCannotBeReadIsSaid() {
        result(Activity.RESULT_OK, Uri.parse("content://nowhere/none.csv"));
        assertTrue(page.said(),
                page.said().contains(page.activity().getString(R.string.import_unreadable)));
    }

    @Test
    public void choosingNothingChangesNothing() {
        String said = page.said();
        result(Activity.RESULT_CANCELED, null);
        assertEquals(said, page.said());
    }

    @Test
    public void tenThousandUnmatchedRowsAreListedAtOnce() {
        StringBuilder text = new StringBuilder("Title,Author\n");
        for (int i = 0; i < 10000; i++) {
            text.append("Unknown ").append(i).append(",Nobody\n");
        }
        choose(text.toString().getBytes(StandardCharsets.UTF_8));
        assertTrue(page.rows().size() > 10000);
        assertFalse(page.text(R.id.status).isEmpty());
    }

    private static java.util.List<String> itemIds() {
        java.util.List<String> ids = new java.util.ArrayList<>();
        for (io.github.kdtf.books.shelf.ShelfBook one : Phone.state().shelf) {
            ids.add(one.itemId);
        }
        return ids;
    }

    private void choose(byte[] content) {
        shadowOf(page.activity().getContentResolver())
                .registerInputStream(DOCUMENT, new ByteArrayInputStream(content));
        result(Activity.RESULT_OK, DOCUMENT);
    }

    private void result(int code, Uri document) {
        page.tapButton(page.activity().getString(R.string.import_choose));
        Intent asked = shadowOf(page.activity()).getNextStartedActivityForResult().intent;
        assertNotNull(asked);
        shadowOf(page.activity()).receiveResult(asked, code, new Intent().setData(document));
        shadowOf(Looper.getMainLooper()).idle();
        page.settle();
    }
}
