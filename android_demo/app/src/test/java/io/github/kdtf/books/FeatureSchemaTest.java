package io.github.kdtf.books;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import io.github.kdtf.books.engine.BundleException;
import io.github.kdtf.books.engine.BundleException.Problem;
import io.github.kdtf.books.engine.BundleFiles;
import io.github.kdtf.books.engine.FeatureSchema;
import io.github.kdtf.books.engine.FolderBundle;
import java.io.File;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Date;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;

/** The cases of tests/shared_features, and those that draw_cases.py draws there. */
@RunWith(RobolectricTestRunner.class)
public class FeatureSchemaTest {
    private static final String SCHEMA = "{'version': 1, 'missing': [], 'numeric': [],"
            + " 'label': {'name': 'stars', 'kind': 'rating', 'low': 1, 'high': 5},"
            + " 'columns': [{'name': 'a', 'type': 'category'}], 'categorical': [{'name': 'a',"
            + " 'kind': 'vocabulary', 'column': 'a', 'values': ['9007199254740993', '0.1']}]}";

    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    @Test
    public void rowsAreEncodedAsTheCasesSay() throws Exception {
        File file = new File(System.getProperty("books.shared_features"), "cases.json");
        String cases = new String(Files.readAllBytes(file.toPath()), StandardCharsets.UTF_8);
        assertTrue(check(new JSONArray(cases)) > 200);
    }

    @Test
    public void rowsAreEncodedAndSchemasRefusedAsInPython() throws Exception {
        JSONObject drawn = Expected.json(new File(System.getProperty("books.drawn_features")));
        assertTrue(check(drawn.getJSONArray("cases")) > 1000);
        JSONArray damaged = drawn.getJSONArray("damaged");
        for (int i = 0; i < damaged.length(); i++) {
            JSONObject one = damaged.getJSONObject(i);
            Problem problem = null;
            try {
                FeatureSchema.read(bundle(one.getString("content")));
            } catch (BundleException error) {
                problem = error.problem;
            }
            String expected = one.isNull("problem") ? "" : one.getString("problem");
            String what = one.toString();
            switch (expected) {
                case "": assertNull(what, problem); break;
                case "version": assertEquals(what, Problem.OTHER_VERSION, problem); break;
                default: assertEquals(what, Problem.DAMAGED_FILE, problem);
            }
        }
    }

    @Test
    public void valuesThatJsonHasNotAreReadOrRefused() throws Exception {
        FeatureSchema schema = FeatureSchema.of(new JSONObject(SCHEMA));
        assertEquals(2, encode(schema, 9007199254740993L));
        assertEquals(2, encode(schema, new BigInteger("9007199254740993")));
        assertEquals(3, encode(schema, 0.1));
        assertEquals("a float is the double that it is", 1, encode(schema, 0.1f));
        assertEquals(0, encode(schema, Float.NaN));
        for (Object value : new Object[] {
            Double.POSITIVE_INFINITY, BigInteger.TEN.pow(300), new Date(0), 'a'
        }) {
            assertNotNull(value.toString(), refusal(schema, Collections.singletonMap("a", value)));
        }
        assertTrue(schema.label.isRating);
        assertEquals(5, schema.label.high, 0);
    }

    @Test
    public void theFileOfABundleIsRead() throws Exception {
        assertEquals(3, encode(FeatureSchema.read(bundle(SCHEMA)), "0.10"));
        for (String content : new String[] {"", "[]", "{", SCHEMA.replace("1,", "2,")}) {
            try {
                FeatureSchema.read(bundle(content));
                fail(content);
            } catch (BundleException error) {
                assertEquals("features.json", error.file);
            }
        }
    }

    private BundleFiles bundle(String features) throws Exception {
        File root = folder.newFolder();
        Files.write(new File(root, BundleFiles.FEATURES).toPath(),
                features.getBytes(StandardCharsets.UTF_8));
        return new FolderBundle(root);
    }

    private static int encode(FeatureSchema schema, Object value) {
        return schema.encode(Collections.singletonMap("a", value)).categorical[0];
    }

    /** Compares all rows; the number of them. */
    private static int check(JSONArray cases) throws Exception {
        int count = 0;
        for (int i = 0; i < cases.length(); i++) {
            JSONObject one = cases.getJSONObject(i);
            FeatureSchema schema = FeatureSchema.of(one.getJSONObject("schema"));
            JSONArray rows = one.getJSONArray("rows");
            for (int j = 0; j < rows.length(); j++, count++) {
                JSONObject row = rows.getJSONObject(j);
                String what = row.toString();
                FeatureSchema.EncodedRow encoded = schema.encode(map(row.getJSONObject("values")));
                assertArrayEquals(what, Expected.ints(row.getJSONArray("categorical")),
                        encoded.categorical);
                assertArrayEquals(what, Expected.floats(row.getJSONArray("numeric")),
                        encoded.numeric, 0);
            }
            JSONArray refused = one.optJSONArray("refused");
            for (int j = 0; refused != null && j < refused.length(); j++, count++) {
                JSONObject row = refused.getJSONObject(j);
                String refusal = refusal(schema, map(row.getJSONObject("values")));
                assertNotNull(row.toString(), refusal);
                assertTrue(refusal, refusal.contains("'" + row.getString("column") + "'"));
            }
        }
        return count;
    }

    /** Null where it is not refused. */
    private static String refusal(FeatureSchema schema, Map<String, ?> values) {
        try {
            schema.encode(values);
            return null;
        } catch (IllegalArgumentException error) {
            return error.getMessage();
        }
    }

    private static Map<String, Object> map(JSONObject object) throws Exception {
        Map<String, Object> values = new HashMap<>();
        for (Iterator<String> keys = object.keys(); keys.hasNext(); ) {
            String key = keys.next();
            values.put(key, plain(object.get(key)));
        }
        return values;
    }

    /** Lists, maps and null for what JSON has. */
    private static Object plain(Object value) throws Exception {
        if (value instanceof JSONObject) {
            return map((JSONObject) value);
        }
        if (value instanceof JSONArray) {
            JSONArray array = (JSONArray) value;
            List<Object> values = new ArrayList<>();
            for (int i = 0; i < array.length(); i++) {
                values.add(plain(array.get(i)));
            }
            return values;
        }
        return value == JSONObject.NULL ? null : value;
    }
}
