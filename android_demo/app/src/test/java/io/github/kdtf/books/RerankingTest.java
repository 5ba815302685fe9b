package io.github.kdtf.books;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;
import static org.junit.Assume.assumeTrue;

import io.github.kdtf.books.engine.AssetBundle;
import io.github.kdtf.books.engine.BundleConfig;
import io.github.kdtf.books.engine.BundleException;
import io.github.kdtf.books.engine.BundleException.Problem;
import io.github.kdtf.books.engine.BundleFiles;
import io.github.kdtf.books.engine.ItemValues;
import io.github.kdtf.books.engine.Moment;
import io.github.kdtf.books.engine.RowSources;
import java.io.File;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;

/** The rows of tests/shared_reranking, and the screens of a bundle with a ranker. */
@RunWith(RobolectricTestRunner.class)
public class RerankingTest {
    private JSONObject cases;
    private ItemValues items;

    @Before
    public void readCases() throws Exception {
        TestApplication.bundle = null;
        cases = Expected.json(new File(System.getProperty("books.shared_reranking"), "cases.json"));
        items = ItemValues.of(cases.getJSONObject("items"));
    }

    @After
    public void forget() {
        TestApplication.bundle = null;
    }

    private RowSources sources() throws Exception {
        return RowSources.of(cases.getJSONObject("sources"),
                Expected.texts(cases.getJSONArray("columns")), items);
    }

    @Test
    public void aDeviceGivesTheValuesOfTheCases() throws Exception {
        JSONArray devices = cases.getJSONArray("devices");
        for (int i = 0; i < devices.length(); i++) {
            JSONObject one = devices.getJSONObject(i);
            Map<String, Object> context = sources().context(moment(one));
            assertEquals(one.toString(), plain(one.getJSONObject("context")), plain(context));
        }
    }

    @Test
    public void rowsAreThoseOfTheCases() throws Exception {
        JSONArray rows = cases.getJSONArray("rows");
        for (int i = 0; i < rows.length(); i++) {
            JSONObject one = rows.getJSONObject(i);
            List<Map<String, Object>> made = sources().rows(
                    Expected.texts(one.getJSONArray("candidates")),
                    Expected.texts(one.getJSONArray("history")),
                    map(one.getJSONObject("context")));
            JSONObject values = one.getJSONObject("values");
            assertEquals(one.getJSONArray("candidates").length(), made.size());
            for (int j = 0; j < made.size(); j++) {
                Map<String, Object> wanted = new HashMap<>();
                for (String name : Expected.texts(cases.getJSONArray("columns"))) {
                    wanted.put(name, values.getJSONArray(name).get(j));
                }
                assertEquals(one.toString(), plain(wanted), plain(made.get(j)));
            }
        }
    }

    @Test
    public void damagedFilesAreRefused() throws Exception {
        JSONObject damaged = cases.getJSONObject("damaged");
        for (String content : Expected.texts(damaged.getJSONArray("items"))) {
            try {
                ItemValues.of(new JSONObject(content));
                fail(content);
            } catch (BundleException | JSONException error) {
                assertFalse(error.getMessage().isEmpty());
            }
        }
        for (String content : Expected.texts(damaged.getJSONArray("sources"))) {
            try {
                RowSources.of(new JSONObject(content), Collections.singletonList("a"), items);
                fail(content);
            } catch (BundleException | JSONException error) {
                assertFalse(error.getMessage().isEmpty());
            }
        }
    }

    @Test
    public void theListIsSortedUntilTheReaderSwitchesItOff() throws Exception {
        Phone<MainActivity> phone = Phone.launch();
        JSONArray reranked = Expected.read().getJSONArray("reranked");
        if (reranked.length() == 0) {
            phone.tap(R.id.tab_about);
            assertNull(Phone.state().rankerValues);
            assertFalse(phone.said().contains(phone.activity().getString(R.string.about_rerank)));
            return;
        }
        // Whatever the moment is, both models agree on which twenty books are listed.
        List<String> shelf = Expected.texts(reranked.getJSONObject(3).getJSONArray("items"));
        phone.shelveBefore(shelf);
        phone.tap(R.id.tab_for_you);
        List<String> before = phone.titles();
        phone.tap(R.id.tab_about);
        String off = phone.activity().getString(R.string.about_rerank_off);
        String on = phone.activity().getString(R.string.about_rerank_on);
        String hour = phone.activity().getString(R.string.about_rerank_hour);
        assertFalse(phone.said().contains(hour));
        phone.tapButton(off);
        assertTrue(phone.said().contains(on));
        assertTrue(phone.said().contains(hour));
        assertTrue(phone.said().contains(
                phone.activity().getString(R.string.about_rerank_unknown) + "\nuser"));
        File folder = new File(System.getProperty("books.screenshots"));
        phone.row(phone.place(on));
        phone.photograph(new File(folder, "about_reranking.png"));
        phone.tap(R.id.tab_for_you);
        List<String> sorted = phone.titles();
        assertNotEquals(before.subList(0, sorted.size()), sorted);
        List<String> same = new ArrayList<>(before.subList(0, sorted.size()));
        Collections.sort(same);
        List<String> sortedByName = new ArrayList<>(sorted);
        Collections.sort(sortedByName);
        assertEquals(same, sortedByName);
        double last = Double.POSITIVE_INFINITY;
        for (LibraryState.Suggestion one : Phone.state().forYou) {
            assertTrue(one.prediction <= last);
            last = one.prediction;
        }
        phone.waitForReasons();
        phone.killProcess();
        assertTrue("it is remembered", Phone.state().reranks);
        phone.tap(R.id.tab_about);
        phone.tapButton(on);
        phone.tap(R.id.tab_for_you);
        assertEquals(before, phone.titles());
        assertTrue(Double.isNaN(Phone.state().forYou.get(0).prediction));
    }

    @Test
    public void aDamagedOrForeignRankerIsRefused() throws Exception {
        Phone.launch();
        Phone.waitUntilOpen();
        BundleFiles assets = new AssetBundle(
                RuntimeEnvironment.getApplication().getAssets(), "bundle");
        assumeTrue(BundleConfig.read(assets).ranker != null);
        for (String name : BundleFolder.RANKER) {
            BundleFolder bundle = new BundleFolder(assets);
            File file = new File(bundle.folder, "ranker/" + name);
            byte[] content = Files.readAllBytes(file.toPath());
            content[content.length - 5] ^= 1;
            Files.write(file.toPath(), content);
            assertEquals(name, Problem.DAMAGED_FILE, refusal(bundle));
            assertTrue(file.delete());
            assertEquals(name, Problem.MISSING_FILE, refusal(bundle));
        }
        BundleFolder bundle = new BundleFolder(assets);
        bundle.writeConfig(bundle.config().put("ranker_sha256", String.format("%064d", 7)));
        assertEquals(Problem.MISMATCH, refusal(bundle));
        bundle.writeConfig(bundle.config().put("ranker_sha256", 7));
        assertEquals(Problem.DAMAGED_FILE, refusal(bundle));
    }

    private static Problem refusal(BundleFolder bundle) {
        try {
            BundleConfig.read(bundle.files());
            return null;
        } catch (BundleException error) {
            return error.problem;
        }
    }

    private static Moment moment(JSONObject device) throws JSONException {
        return new Moment(device.getLong("seconds"), 60 * device.getInt("offset_minutes"),
                device.isNull("language") ? null : device.getString("language"));
    }

    private static Map<String, Object> map(JSONObject object) throws JSONException {
        Map<String, Object> values = new HashMap<>();
        for (Iterator<String> keys = object.keys(); keys.hasNext(); ) {
            String key = keys.next();
            values.put(key, object.isNull(key) ? null : object.get(key));
        }
        return values;
    }

    private static Map<String, Object> plain(JSONObject object) throws JSONException {
        return plain(map(object));
    }

    /** Numbers as doubles, so that kinds of integers do not differ; null for JSON's. */
    private static Map<String, Object> plain(Map<String, Object> values) {
        Map<String, Object> plain = new HashMap<>();
        for (Map.Entry<String, Object> one : values.entrySet()) {
            Object value = one.getValue() == JSONObject.NULL ? null : one.getValue();
            plain.put(one.getKey(), value instanceof Number
                    ? (Object) ((Number) value).doubleValue() : value);
        }
        return plain;
    }
}
