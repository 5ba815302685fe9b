package io.github.kdtf.books;

import io.github.kdtf.books.engine.BookRecommender;
import io.github.kdtf.books.engine.FolderBundle;
import io.github.kdtf.books.engine.ScoredBook;
import java.io.File;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.json.JSONArray;
import org.json.JSONObject;
import org.tensorflow.lite.TensorFlowLite;

/**
 * Asks the app's own engine, on a plain JVM, what Python's runtime was asked: all four signatures
 * for every history. Ids must be equal, scores within 1e-4. Also runs on an emulated arm64 JVM.
 *
 * <p>Arguments: the folder of a bundle, the file that scripts/expected.py wrote.
 */
public final class ModelParity {
    private static final float TOLERANCE = 1e-4f;

    /**
     * Layers with int8 weights round their input to 8 bits. Processors may round one that lies
     * just between two steps either way, which moves contributions by about a thousandth: so far
     * at most, and in so few of the histories.
     */
    private static final float STEP = 5e-3f;
    private static final float MOST_STEPS = 0.05f;

    private final BookRecommender recommender;
    private float worst;
    private float worstReason;
    private int steps;

    private ModelParity(BookRecommender recommender) {
        this.recommender = recommender;
    }

    public static void main(String[] arguments) throws Exception {
        JSONArray histories = Expected.json(new File(arguments[1])).getJSONArray("histories");
        try (BookRecommender recommender =
                BookRecommender.open(new FolderBundle(new File(arguments[0])))) {
            ModelParity parity = new ModelParity(recommender);
            for (int i = 0; i < histories.length(); i++) {
                parity.compare(histories.getJSONObject(i));
            }
            System.out.println(System.getProperty("os.arch") + ", TensorFlow Lite "
                    + TensorFlowLite.runtimeVersion() + ": " + histories.length()
                    + " histories, 4 signatures: ids equal, scores within " + parity.worst
                    + ", contributions within " + parity.worstReason + " (beyond " + TOLERANCE
                    + " for " + parity.steps + " histories)");
            if (parity.steps > MOST_STEPS * histories.length()) {
                throw new AssertionError("contributions differ for too many histories");
            }
        }
    }

    private void compare(JSONObject expected) throws Exception {
        int[] history = Expected.ints(expected.getJSONArray("history"));
        int book = expected.getInt("book");
        String of = "history " + Arrays.toString(history);
        List<ScoredBook> recommended =
                recommender.recommend(history, Collections.<Integer>emptyList());
        compare("recommend, " + of, expected.getJSONObject("recommend"), recommended);
        // The same input gives the same answer, whatever was asked between.
        compare("similar to " + book, expected.getJSONObject("similar"), recommender.similar(book));
        compare("recommend again, " + of, expected.getJSONObject("recommend"),
                recommender.recommend(history, Collections.<Integer>emptyList()));
        compare("score, " + of, Expected.floats(expected.getJSONArray("score")),
                recommender.score(history, Expected.ints(expected.getJSONArray("candidates"))));
        compareReasons("explain, " + of, history, Expected.floats(expected.getJSONArray("explain")),
                recommender.explain(history, book));
    }

    private void compare(String what, JSONObject expected, List<ScoredBook> found)
            throws Exception {
        int[] ids = new int[found.size()];
        float[] scores = new float[found.size()];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = found.get(i).id;
            scores[i] = found.get(i).score;
        }
        int[] wanted = Expected.ints(expected.getJSONArray("ids"));
        if (!Arrays.equals(wanted, ids)) {
            throw new AssertionError(what + ": Python gives " + Arrays.toString(wanted)
                    + ", the app " + Arrays.toString(ids));
        }
        compare(what, Expected.floats(expected.getJSONArray("scores")), scores);
    }

    /** The reasons are the positive contributions to the newest L books of the history. */
    private void compareReasons(String what, int[] history, float[] contributions,
            List<ScoredBook> found) {
        int start = Math.max(0, history.length - contributions.length);
        Map<Integer, List<Float>> wanted = new TreeMap<>();
        for (int i = start; i < history.length; i++) {
            if (1 <= history[i] && history[i] <= recommender.config().books) {
                put(wanted, history[i], contributions[i - start]);
            }
        }
        Map<Integer, List<Float>> given = new TreeMap<>();
        for (ScoredBook one : found) {
            put(given, one.id, one.score);
        }
        float error = 0;
        for (Map.Entry<Integer, List<Float>> one : wanted.entrySet()) {
            List<Float> left = one.getValue();
            List<Float> right = given.containsKey(one.getKey()) ? given.remove(one.getKey())
                    : new ArrayList<Float>();
            for (int i = 0; i < Math.max(left.size(), right.size()); i++) {
                error = Math.max(error, Math.abs(at(left, i) - at(right, i)));
            }
        }
        if (!given.isEmpty() || !(error <= STEP)) {
            throw new AssertionError(what + ": Python gives " + wanted + ", the app " + found);
        }
        worstReason = Math.max(worstReason, error);
        steps += error > TOLERANCE ? 1 : 0;
    }

    private static void put(Map<Integer, List<Float>> all, int book, float contribution) {
        if (!all.containsKey(book)) {
            all.put(book, new ArrayList<Float>());
        }
        all.get(book).add(contribution);
        Collections.sort(all.get(book), Collections.<Float>reverseOrder());
    }

    /** What does not add to a score is no reason, and counts as 0. */
    private static float at(List<Float> sorted, int place) {
        return place < sorted.size() ? Math.max(0, sorted.get(place)) : 0;
    }

    private void compare(String what, float[] wanted, float[] found) {
        if (wanted.length != found.length) {
            throw new AssertionError(what + ": Python gives " + wanted.length + " figures, the app "
                    + found.length);
        }
        for (int i = 0; i < wanted.length; i++) {
            float error = Math.abs(wanted[i] - found[i]);
            worst = Math.max(worst, error);
            if (!(error <= TOLERANCE)) {
                throw new AssertionError(what + ": Python gives " + wanted[i] + " at place " + i
                        + ", the app " + found[i]);
            }
        }
    }
}
