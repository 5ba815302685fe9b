package io.github.kdtf.books;

import static org.junit.Assert.assertEquals;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;

/**
 * The classes of docs/how-to/put-it-in-an-android-app.md, which scripts/test_app.sh takes out of
 * the page.
 */
@RunWith(RobolectricTestRunner.class)
public class SnippetTest {
    @Test
    public void theSnippetAnswersAsPython() throws Exception {
        ReadNext readNext = new ReadNext(RuntimeEnvironment.getApplication());
        JSONArray shelves = Expected.read().getJSONArray("shelves");
        for (int i = 0; i < shelves.length(); i++) {
            JSONObject shelf = shelves.getJSONObject(i);
            List<String> found = new ArrayList<>();
            for (JSONObject row : readNext.recommend(
                    Expected.texts(shelf.getJSONArray("items")))) {
                found.add(row.getString("item_id"));
            }
            assertEquals(Expected.texts(shelf.getJSONArray("recommend")), found);
        }
        assertEquals(readNext.recommend(new ArrayList<String>()).toString(),
                readNext.recommend(Arrays.asList("a book that is not in the catalogue")).toString());
    }

    @Test
    public void theSecondSnippetRuns() throws Exception {
        JSONArray items = Expected.read().getJSONArray("shelves").getJSONObject(1)
                .getJSONArray("items");
        PrintStream screen = System.out;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        System.setOut(new PrintStream(printed, true, "UTF-8"));
        try {
            CheckedSnippet.run(RuntimeEnvironment.getApplication(), items.getString(0),
                    items.getString(1));
        } finally {
            System.setOut(screen);
        }
        String first = Expected.read().getJSONArray("shelves").getJSONObject(1)
                .getJSONArray("titles").getString(0);
        assertEquals(first, printed.toString("UTF-8").split(" [0-9.-]+\\R")[0]);
    }
}
