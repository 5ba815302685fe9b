package io.github.kdtf.books;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import android.content.Context;
import android.view.View;
import android.widget.TextView;
import io.github.kdtf.books.engine.AssetBundle;
import io.github.kdtf.books.engine.BundleConfig;
import io.github.kdtf.books.engine.BundleException;
import io.github.kdtf.books.engine.BundleException.Problem;
import io.github.kdtf.books.engine.Catalog;
import io.github.kdtf.books.engine.SharedTraits;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Collections;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.After;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;

/** The files of tests/shared_traits, and what a reader sees and hears of shared traits. */
@RunWith(RobolectricTestRunner.class)
public class SharedTraitsTest {
    private final File folder = new File(System.getProperty("books.shared_traits"));

    @After
    public void forget() {
        TestApplication.bundle = null;
    }

    @Test
    public void whatTwoBooksShareIsWhatTheVectorsSay() throws Exception {
        JSONArray cases = read("cases.json");
        for (int i = 0; i < cases.length(); i++) {
            JSONObject one = cases.getJSONObject(i);
            JSONObject book = one.getJSONObject("book");
            JSONObject other = one.getJSONObject("other");
            SharedTraits traits = SharedTraits.of(text(book, "authors"), text(other, "authors"),
                    text(book, "series"), text(other, "series"),
                    text(book, "words"), text(other, "words"));
            JSONObject shared = one.getJSONObject("shared");
            String promise = one.getString("promise");
            assertEquals(promise, Expected.texts(shared.getJSONArray("authors")), traits.authors);
            assertEquals(promise, shared.getBoolean("same_series"), traits.sameSeries);
            assertEquals(promise, Expected.texts(shared.getJSONArray("words")), traits.words);
        }
        assertTrue("cases: " + cases.length(), cases.length() > 30);
    }

    @Test
    public void unsoundValuesInACatalogueAreRefused() throws Exception {
        Context context = RuntimeEnvironment.getApplication();
        BundleFolder bundle = new BundleFolder(new AssetBundle(context.getAssets(), "bundle"));
        JSONArray groups = read("catalog_values.json");
        for (int i = 0; i < groups.length(); i++) {
            JSONObject group = groups.getJSONObject(i);
            JSONArray values = group.getJSONArray("values");
            for (int j = 0; j < values.length(); j++) {
                JSONObject book = new JSONObject().put("id", 1).put("item_id", "a");
                book.put(group.getString("key"), values.get(j));
                String what = book.toString();
                bundle.writeCatalog(new JSONArray().put(book));
                BundleException refusal = refusal(context, bundle);
                if (group.getBoolean("is_sound")) {
                    assertNull(what, refusal);
                } else {
                    assertNotNull(what, refusal);
                    assertEquals(what, Problem.DAMAGED_FILE, refusal.problem);
                }
            }
        }
    }

    @Test
    public void aReaderSeesAndHearsWhatIsSharedAndWhatIsNew() throws Exception {
        Context context = RuntimeEnvironment.getApplication();
        Phone.waitUntilOpen();
        BundleFolder bundle = new BundleFolder(new AssetBundle(context.getAssets(), "bundle"));
        JSONArray books = bundle.catalog().getJSONArray("books");
        for (int i = 0; i < books.length(); i++) {
            books.getJSONObject(i).put("authors", "Ann Elm").put("series", "Harbour " + i + "x")
                    .put("words", "sea lamp").put("new", true);
        }
        bundle.writeCatalog(books);
        TestApplication.bundle = bundle.files();
        Phone<MainActivity> phone = Phone.launch();
        phone.killProcess();
        phone.shelve(Collections.singletonList(books.getJSONObject(0).getString("item_id")));
        phone.tap(R.id.tab_for_you);
        phone.waitForReasons();
        LibraryState.Suggestion first = null;
        for (LibraryState.Suggestion one : Phone.state().forYou) {
            first = first == null && !one.because.isEmpty() ? one : first;
        }
        assertNotNull("the book on the shelf speaks for another one", first);
        View row = phone.row(phone.place(first.book.title));
        String because = "Because you read " + Words.shortTitle(first.because.get(0))
                + " (same author; both about sea, lamp)";
        assertEquals(because, ((TextView) row.findViewById(R.id.because)).getText().toString());
        assertEquals("New", ((TextView) row.findViewById(R.id.mark)).getText().toString());
        String said = row.findViewById(R.id.book).getContentDescription().toString();
        assertTrue(said, said.contains(because));
        assertTrue(said, said.contains(". New. "));
    }

    /** Null where it is not refused. */
    private static BundleException refusal(Context context, BundleFolder bundle)
            throws Exception {
        try {
            Catalog.open(context, bundle.files(), BundleConfig.read(bundle.files()), null).close();
            return null;
        } catch (BundleException error) {
            return error;
        }
    }

    private JSONArray read(String name) throws Exception {
        return new JSONArray(new String(
                Files.readAllBytes(new File(folder, name).toPath()), StandardCharsets.UTF_8));
    }

    private static String text(JSONObject book, String key) {
        return book.isNull(key) ? null : book.optString(key);
    }
}
