package io.github.kdtf.books;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/** What Python's runtime answers for the same bundle; scripts/expected.py writes it. */
final class Expected {
    private Expected() {}

    static JSONObject read() throws IOException, JSONException {
        return json(new File(System.getProperty("books.expected")));
    }

    static JSONObject json(File file) throws IOException, JSONException {
        return new JSONObject(new String(Files.readAllBytes(file.toPath()), StandardCharsets.UTF_8));
    }

    static List<String> texts(JSONArray array) throws JSONException {
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < array.length(); i++) {
            texts.add(array.getString(i));
        }
        return texts;
    }

    static int[] ints(JSONArray array) throws JSONException {
        int[] numbers = new int[array.length()];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = (int) array.getLong(i);
        }
        return numbers;
    }

    static float[] floats(JSONArray array) throws JSONException {
        float[] numbers = new float[array.length()];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = (float) array.getDouble(i);
        }
        return numbers;
    }
}
