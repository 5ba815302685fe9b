package io.github.kdtf.books;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import io.github.kdtf.books.engine.AssetBundle;
import io.github.kdtf.books.engine.Book;
import io.github.kdtf.books.engine.BookRecommender;
import io.github.kdtf.books.engine.BundleConfig;
import io.github.kdtf.books.engine.BundleException;
import io.github.kdtf.books.engine.BundleException.Problem;
import io.github.kdtf.books.engine.BundleFiles;
import io.github.kdtf.books.engine.Catalog;
import java.io.File;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;

/** Bundles that must be refused, the catalogue that is made of a good one, and updates. */
@RunWith(RobolectricTestRunner.class)
public class BundleTest {
    private TestApplication application;
    private BundleFiles assets;
    private BundleFolder bundle;

    @Before
    public void copy() throws Exception {
        application = (TestApplication) RuntimeEnvironment.getApplication();
        assets = new AssetBundle(application.getAssets(), "bundle");
        // The app's own library must not be reading while a test does what only one may do.
        Phone.waitUntilOpen();
        bundle = new BundleFolder(assets);
    }

    @After
    public void forget() {
        TestApplication.bundle = null;
    }

    @Test
    public void theModelIsMappedAndNotCopied() throws Exception {
        ByteBuffer model = assets.map(BundleFiles.MODEL);
        assertTrue(model instanceof MappedByteBuffer);
        assertTrue(model.isReadOnly());
    }

    @Test
    public void anotherContractVersionIsRefused() throws Exception {
        bundle.writeConfig(bundle.config().put("contract_version", 2));
        assertRefused(Problem.OTHER_VERSION, BundleFiles.CONFIG, R.string.refused_other_version);
    }

    @Test
    public void anotherCatalogueVersionIsRefused() throws Exception {
        bundle.write(BundleFiles.CATALOG, bundle.catalog().put("version", 2).toString());
        bundle.writeHashes();
        assertRefused(Problem.OTHER_VERSION, BundleFiles.CATALOG, R.string.refused_other_version);
    }

    @Test
    public void everyMissingFileIsRefused() throws Exception {
        for (String name : new String[] {BundleFiles.MODEL_CARD, BundleFiles.CATALOG,
            BundleFiles.MODEL, BundleFiles.CONFIG}) {
            assertTrue(new File(bundle.folder, name).delete());
            assertRefused(Problem.MISSING_FILE, name, R.string.refused_missing_file);
            bundle = new BundleFolder(assets);
        }
    }

    @Test
    public void everyChangedFileIsRefused() throws Exception {
        for (String name : new String[] {BundleFiles.MODEL_CARD, BundleFiles.CATALOG,
            BundleFiles.MODEL}) {
            bundle.write(name, bundle.text(name) + " ");
            assertRefused(Problem.DAMAGED_FILE, name, R.string.refused_damaged_file);
            bundle = new BundleFolder(assets);
        }
    }

    @Test
    public void aChangedConfigIsRefused() throws Exception {
        String[] texts = {"", "[]", "{\"contract_version\": 1", "null",
            bundle.text(BundleFiles.CONFIG) + " ",
            bundle.text(BundleFiles.CONFIG).replace("config_sha256", "config_sha257")};
        for (String text : texts) {
            bundle.write(BundleFiles.CONFIG, text);
            assertEquals(text, Problem.DAMAGED_FILE, assertThrown().problem);
        }
        bundle = new BundleFolder(assets);
        JSONObject[] configs = {bundle.config().put("num_items", "many"),
            bundle.config().put("max_length", -1), bundle.config().put("candidates", 2.5),
            bundle.config().put("name", JSONObject.NULL),
            bundle.config().put("sha256", new JSONObject())};
        for (JSONObject config : configs) {
            bundle.writeConfig(config);
            assertEquals(config.toString(), Problem.DAMAGED_FILE, assertThrown().problem);
        }
        assertRefused(Problem.DAMAGED_FILE, BundleFiles.CONFIG, R.string.refused_damaged_file);
    }

    @Test
    public void aMetricThatIsNoNumberIsRefused() throws Exception {
        for (Object figure : new Object[] {"0.9", JSONObject.NULL, true}) {
            bundle.writeConfig(bundle.config().put("metrics",
                    new JSONObject().put("ndcg@10", figure)));
            assertRefused(Problem.DAMAGED_FILE, BundleFiles.CONFIG, R.string.refused_damaged_file);
        }
    }

    @Test
    public void booksOfAnotherModelAreRefused() throws Exception {
        JSONArray books = bundle.catalog().getJSONArray("books");
        JSONArray few = new JSONArray();
        for (int i = 0; i < 9; i++) {
            few.put(books.get(i));
        }
        bundle.writeCatalog(few);
        assertRefused(Problem.MISMATCH, BundleFiles.MODEL, R.string.refused_mismatch);
    }

    @Test
    public void aFileThatIsReplacedAfterItsCheckIsNotUsed() throws Exception {
        BundleFiles files = bundle.files();
        BundleConfig config = BundleConfig.read(files);
        for (String name : new String[] {BundleFiles.MODEL, BundleFiles.CATALOG}) {
            bundle.write("new", "what another bundle holds");
            assertTrue(new File(bundle.folder, "new").renameTo(new File(bundle.folder, name)));
        }
        BookRecommender.open(files).close();
        Catalog.open(application, files, config, null).close();
        assertEquals(Problem.DAMAGED_FILE, assertThrown().problem);
    }

    @Test
    public void aFileOutsideOfTheFolderIsRefused() throws Exception {
        JSONObject config = bundle.config();
        config.getJSONObject("sha256").put("../model.tflite", "00");
        bundle.writeConfig(config);
        assertRefused(Problem.DAMAGED_FILE, BundleFiles.CONFIG, R.string.refused_damaged_file);
    }

    @Test
    public void aCatalogueThatDisagreesWithTheModelIsRefused() throws Exception {
        JSONArray books = bundle.catalog().getJSONArray("books");
        books.remove(books.length() - 1);
        bundle.write(BundleFiles.CATALOG,
                new JSONObject().put("version", 1).put("books", books).toString());
        bundle.writeHashes();
        assertRefused(Problem.MISMATCH, BundleFiles.CATALOG, R.string.refused_mismatch);
    }

    @Test
    public void aConfigThatDisagreesWithTheModelIsRefused() throws Exception {
        String[] sizes = {"max_length", "candidates", "recommendations"};
        for (String size : sizes) {
            JSONObject config = bundle.config();
            bundle.writeConfig(config.put(size, config.getInt(size) - 1));
            assertRefused(Problem.MISMATCH, BundleFiles.MODEL, R.string.refused_mismatch);
            bundle = new BundleFolder(assets);
        }
        bundle.writeConfig(bundle.config().put("signatures", new JSONArray().put("recommend")));
        assertRefused(Problem.MISMATCH, BundleFiles.MODEL, R.string.refused_mismatch);
    }

    @Test
    public void anEmptyCatalogueIsRefused() throws Exception {
        bundle.writeCatalog(new JSONArray());
        assertRefused(Problem.EMPTY_CATALOG, BundleFiles.CONFIG, R.string.refused_empty_catalog);
        bundle = new BundleFolder(assets);
        bundle.write(BundleFiles.CATALOG, "{\"version\": 1, \"books\": []}");
        bundle.writeHashes();
        assertRefused(Problem.EMPTY_CATALOG, BundleFiles.CATALOG, R.string.refused_empty_catalog);
    }

    @Test
    public void aBrokenCatalogueIsRefused() throws Exception {
        String[] catalogues = {
            "[]", "{}", "{\"version\": 1}", "{\"version\": 1, \"books\": [",
            "{\"version\": 1, \"books\": [{\"id\": 2, \"item_id\": \"a\"}]}",
            "{\"version\": 1, \"books\": [{\"id\": 1}]}",
            "{\"version\": 1, \"books\": [{\"id\": 1, \"item_id\": \"a\", \"title\": 7}]}",
            "{\"version\": 1, \"books\": [{\"id\": 1, \"item_id\": \"a\", \"year\": 1.5}]}",
            "{\"version\": 1, \"books\": [{\"id\": 1, \"item_id\": \"a\"},"
                    + " {\"id\": 2, \"item_id\": \"a\"}]}",
        };
        for (String one : catalogues) {
            bundle.write(BundleFiles.CATALOG, one);
            bundle.writeHashes();
            BundleException error = assertThrown();
            assertEquals(one, Problem.DAMAGED_FILE, error.problem);
            assertEquals(one, BundleFiles.CATALOG, error.file);
        }
    }

    @Test
    public void aModelForANewerRuntimeIsRefused() throws Exception {
        bundle.writeConfig(bundle.config().put("min_runtime_version", "2.17.0"));
        assertRefused(Problem.NEEDS_NEWER_RUNTIME, BundleFiles.MODEL,
                R.string.refused_needs_newer_runtime);
    }

    @Test
    public void whatIsNoModelIsRefused() throws Exception {
        bundle.write(BundleFiles.MODEL, "not a model at all, only long enough to look like one");
        bundle.writeHashes();
        assertRefused(Problem.MODEL_REFUSED, BundleFiles.MODEL, R.string.refused_model_refused);
    }

    @Test
    public void aKilledReadingLeavesNothingHalfMade() throws Exception {
        bundle.writeConfig(bundle.config().put("name", "a new one"));
        int before = catalogues().size();
        BundleConfig config = BundleConfig.read(bundle.files());
        final BundleFiles good = bundle.files();
        BundleFiles killed = new BundleFiles() {
            @Override
            public InputStream open(String name) throws java.io.IOException {
                final InputStream stream = good.open(name);
                return new java.io.FilterInputStream(stream) {
                    private int left = 10000;

                    @Override
                    public int read(byte[] bytes, int start, int count) throws java.io.IOException {
                        left -= count;
                        if (left < 0) {
                            throw new IllegalMonitorStateException("as if the process ended here");
                        }
                        return super.read(bytes, start, count);
                    }
                };
            }

            @Override
            public ByteBuffer map(String name) throws java.io.IOException {
                return good.map(name);
            }
        };
        try {
            Catalog.open(application, killed, config, null);
            fail("it went on");
        } catch (IllegalMonitorStateException error) {
            assertEquals(before, catalogues().size());
        }
        // And what a process that was really killed leaves behind.
        File folder = application.getDatabasePath("x").getParentFile();
        folder.mkdirs();
        assertTrue(new File(folder, "unfinished-catalog-1-0123.db").createNewFile());
        assertTrue(new File(folder, "catalog-1-0123.db").createNewFile());
        try (Catalog catalog = Catalog.open(application, good, config, null)) {
            assertEquals(1, catalogues().size());
            assertEquals(config.numItems, catalog.book(config.numItems).id);
            assertNull(catalog.book(config.numItems + 1));
        }
    }

    @Test
    public void theCatalogueIsReadOnlyOnce() throws Exception {
        bundle.writeConfig(bundle.config().put("name", "a new one"));
        BundleConfig config = BundleConfig.read(bundle.files());
        final List<Integer> reports = new ArrayList<>();
        Catalog.Progress progress = (read, all) -> reports.add(read);
        Catalog.open(application, bundle.files(), config, progress).close();
        assertFalse(reports.isEmpty());
        reports.clear();
        Catalog.open(application, bundle.files(), config, progress).close();
        assertTrue(reports.isEmpty());
    }

    @Test
    public void everyBookIsFoundByItsTitle() throws Exception {
        JSONArray books = new JSONArray();
        String[][] titles = {
            {"The Lantern Keepers (Harbour Lights, #1)", "Maren Oakley"},
            {"河边的图书馆", "陈一舟"}, {"風の図書館", "山本"}, {"バスの本", "キム"},
            {"도서관의 밤", "김하늘"}, {"Café Zoë", "Zoë Bruneau"}, {"ИСТОРИЯ книг", "Анна"},
            {"مكتبة النهر", "سلمى"}, {"หนังสือริมน้ำ", "สมชาย"}, {"OR", "AND NOT"},
            {"1984½", "G. Or Well"},
        };
        for (int i = 0; i < titles.length; i++) {
            books.put(new JSONObject().put("id", i + 1).put("item_id", "b" + i)
                    .put("title", titles[i][0]).put("authors", titles[i][1]));
        }
        bundle.writeCatalog(books);
        Object[][] searches = {
            {"lant", 1}, {"LANTERN keep", 1}, {"oakley lantern", 1}, {"harbour", 1},
            {"图书馆", 2}, {"书馆", 2}, {"河边的图书馆", 2}, {"陈一", 2}, {"図書", 3}, {"バス", 4},
            {"도서", 5}, {"cafe zoe", 6}, {"ZOË", 6}, {"истор", 7}, {"مكتبة", 8}, {"ริมน้ำ", 9},
            {"or", 10}, {"198", 11}, {"not and", 10},
        };
        try (Catalog catalog = Catalog.open(application, bundle.files(),
                BundleConfig.read(bundle.files()), null)) {
            for (Object[] one : searches) {
                List<Book> found = catalog.search((String) one[0], 30);
                assertFalse("" + one[0], found.isEmpty());
                assertEquals("" + one[0], one[1], found.get(0).id);
            }
            for (String none : new String[] {"", "  ", "\"", "*", "zzz", "馆书", "'; DROP TABLE"}) {
                assertTrue(none, catalog.search(none, 30).isEmpty());
            }
        }
    }

    @Test
    public void booksThatANewBundleLacksAreKeptAside() throws Exception {
        Phone<MainActivity> phone = Phone.launch();
        JSONArray books = bundle.catalog().getJSONArray("books");
        String gone = books.getJSONObject(0).getString("item_id");
        String stays = books.getJSONObject(1).getString("item_id");
        phone.shelve(java.util.Arrays.asList(gone, stays));
        String title = Phone.book(gone).name();
        // As an update would: the model's id 1 is now another book.
        books.getJSONObject(0).put("item_id", "a newcomer").put("title", "A Newcomer");
        bundle.writeCatalog(books);
        TestApplication.bundle = bundle.files();
        phone.killProcess();
        assertEquals(1, catalogues().size());
        assertTrue(Phone.state().hasOnShelf(stays));
        assertEquals(1, Phone.state().aside.size());
        phone.place(phone.activity().getString(R.string.aside_title));
        assertTrue(phone.titles().contains(title));
        // The old books come back with it.
        TestApplication.bundle = null;
        phone.killProcess();
        assertTrue(Phone.state().hasOnShelf(gone));
        assertTrue(Phone.state().aside.isEmpty());
    }

    @Test
    public void versionsAreComparedByTheirNumbers() throws Exception {
        bundle.writeConfig(bundle.config().put("min_runtime_version", "2.9.3"));
        BookRecommender.open(bundle.files()).close();
    }

    /** The app says so in words, on every page, and the shelf is still there. */
    private void assertRefused(Problem problem, String file, int sentence) throws Exception {
        BundleException error = assertThrown();
        assertEquals(error.getMessage(), problem, error.problem);
        assertEquals(error.getMessage(), file, error.file);
        TestApplication.bundle = null;
        Phone<MainActivity> phone = Phone.launch();
        if (Phone.state().shelf.isEmpty()) {
            phone.shelve(java.util.Collections.singletonList(
                    Phone.state().forYou.get(0).book.itemId));
        }
        TestApplication.bundle = bundle.files();
        phone.killProcess();
        assertEquals(LibraryState.Phase.REFUSED, Phone.state().phase);
        for (int tab : new int[] {R.id.tab_about, R.id.tab_for_you, R.id.tab_shelf}) {
            phone.tap(tab);
            assertTrue(phone.said(), phone.said().contains(phone.activity().getString(sentence)));
        }
        assertEquals(1, phone.titles().size());
        phone.controller.pause().stop().destroy();
        TestApplication.bundle = null;
        application.restartProcess();
    }

    private BundleException assertThrown() {
        try {
            BookRecommender recommender = BookRecommender.open(bundle.files());
            recommender.close();
            Catalog.open(application, bundle.files(), recommender.config(), null).close();
        } catch (BundleException error) {
            return error;
        }
        throw new AssertionError("it was not refused");
    }

    private List<String> catalogues() {
        List<String> names = new ArrayList<>();
        String[] all = application.getDatabasePath("x").getParentFile().list();
        for (String one : all == null ? new String[0] : all) {
            if (one.contains("catalog-") && one.endsWith(".db")) {
                names.add(one);
            }
        }
        return names;
    }
}
