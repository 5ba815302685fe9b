package io.github.kdtf.books;

import io.github.kdtf.books.engine.BookRanker;
import io.github.kdtf.books.engine.BookRecommender;
import io.github.kdtf.books.engine.FolderBundle;
import io.github.kdtf.books.engine.Moment;
import io.github.kdtf.books.engine.RankedBook;
import io.github.kdtf.books.engine.ScoredBook;
import java.io.File;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.json.JSONArray;
import org.json.JSONObject;
import org.tensorflow.lite.TensorFlowLite;

/**
 * Asks the app's own engine, on a plain JVM, what Python's runtime was asked: all four signatures
 * for every history. Ids must be equal, scores and contributions within 1e-4. Also runs on an
 * emulated arm64 JVM.
 *
 * <p>Arguments: the folder of a bundle, the file that scripts/expected.py wrote, and the share of
 * the histories that may be a step apart. A layer with int8 weights rounds its input to 8 bits;
 * another processor may round a number that lies between two steps the other way, which moves every
 * figure of that answer a little and may swap books of nearly equal scores.
 */
public final class ModelParity {
    private static final float TOLERANCE = 1e-4f;

    /** Predictions that are so close are equal but for the order of float sums. */
    private static final double CLOSE = 1e-6;

    /** Of an answer that is a step apart: the error by the largest figure of the answer. */
    private static final float STEP = 0.05f;

    /** And of its first ten books so many are the same. */
    private static final int FIRST = 10;
    private static final int SHARED = 8;

    private final BookRecommender recommender;
    private float worst;

    // Of the history that is being compared.
    private boolean isStep;
    private float error;

    private ModelParity(BookRecommender recommender) {
        this.recommender = recommender;
    }

    public static void main(String[] arguments) throws Exception {
        JSONArray histories = Expected.json(new File(arguments[1])).getJSONArray("histories");
        try (BookRecommender recommender =
                BookRecommender.open(new FolderBundle(new File(arguments[0])))) {
            ModelParity parity = new ModelParity(recommender);
            int steps = 0;
            for (int i = 0; i < histories.length(); i++) {
                steps += parity.compare(histories.getJSONObject(i)) ? 0 : 1;
            }
            System.out.println(System.getProperty("os.arch") + ", TensorFlow Lite "
                    + TensorFlowLite.runtimeVersion() + ": of " + histories.length()
                    + " histories, 4 signatures, " + (histories.length() - steps)
                    + " have equal ids and scores within " + parity.worst + ", " + steps
                    + " are a step of the int8 input apart");
            compareRanker(new File(arguments[0]), recommender, Expected.json(
                    new File(arguments[1])).getJSONArray("reranked"));
            if (steps > Float.parseFloat(arguments[2]) * histories.length()) {
                throw new AssertionError("that are too many");
            }
        }
    }

    /** Compares the lists that the ranker sorts, where the bundle has one. */
    private static void compareRanker(File folder, BookRecommender recommender,
            JSONArray expected) throws Exception {
        if (expected.length() == 0) {
            return;
        }
        JSONArray books = Expected.json(new File(folder, "catalog.json")).getJSONArray("books");
        double worst = 0;
        try (BookRanker ranker =
                BookRanker.open(new FolderBundle(folder), recommender.config().ranker)) {
            for (int i = 0; i < expected.length(); i++) {
                JSONObject one = expected.getJSONObject(i);
                int[] history = Expected.ints(one.getJSONArray("history"));
                List<ScoredBook> recommended =
                        recommender.recommend(history, Collections.<Integer>emptyList());
                List<String> itemIds = new ArrayList<>();
                for (ScoredBook book : recommended) {
                    itemIds.add(books.getJSONObject(book.id - 1).getString("item_id"));
                }
                Moment moment = new Moment(one.getLong("seconds"),
                        60 * one.getInt("offset_minutes"),
                        one.isNull("language") ? null : one.getString("language"));
                List<RankedBook> ranked = ranker.rerank(recommended, itemIds,
                        Expected.texts(one.getJSONArray("items")),
                        ranker.config().sources.context(moment));
                worst = Math.max(worst, compareRanked(one, ranked));
            }
        }
        System.out.println(System.getProperty("os.arch") + ", ranker: " + expected.length()
                + " lists in the order of Python, predictions within " + worst);
    }

    /** The largest difference of a prediction; fails if the books are not those of Python. */
    private static double compareRanked(JSONObject expected, List<RankedBook> ranked)
            throws Exception {
        int[] wanted = Expected.ints(expected.getJSONArray("ids"));
        double worst = 0;
        for (int i = 0; i < Math.max(wanted.length, ranked.size()); i++) {
            double wantedPrediction = expected.getJSONArray("predictions").getDouble(i);
            double off = Math.abs(ranked.get(i).prediction - wantedPrediction);
            // Books whose predictions lie closer than the rounding may change places.
            if (!(off <= TOLERANCE) || ranked.get(i).id != wanted[i] && off > CLOSE) {
                throw new AssertionError("place " + i + ": Python gives " + expected
                        + ", the app " + ranked);
            }
            worst = Math.max(worst, off);
        }
        return worst;
    }

    /** Whether an answer is Python's; fails if it is not even a step apart. */
    private boolean compare(JSONObject expected) throws Exception {
        isStep = false;
        error = 0;
        int[] history = Expected.ints(expected.getJSONArray("history"));
        int book = expected.getInt("book");
        String of = " for history " + Arrays.toString(history);
        List<ScoredBook> recommended =
                recommender.recommend(history, Collections.<Integer>emptyList());
        compareBooks("recommend" + of, expected.getJSONObject("recommend"), recommended);
        compareBooks("similar to " + book, expected.getJSONObject("similar"),
                recommender.similar(book));
        compareFigures("score" + of, Expected.floats(expected.getJSONArray("score")),
                recommender.score(history, Expected.ints(expected.getJSONArray("candidates"))));
        compareReasons("explain" + of, history,
                Expected.floats(expected.getJSONArray("explain")),
                recommender.explain(history, book));
        // The same input gives the same answer, whatever was asked between.
        String again = recommender.recommend(history, Collections.<Integer>emptyList()).toString();
        if (!again.equals(recommended.toString())) {
            throw new AssertionError("another answer the second time" + of);
        }
        if (!isStep) {
            worst = Math.max(worst, error);
        }
        return !isStep;
    }

    private void compareBooks(String what, JSONObject expected, List<ScoredBook> found)
            throws Exception {
        int[] wanted = Expected.ints(expected.getJSONArray("ids"));
        int[] ids = new int[found.size()];
        float[] scores = new float[found.size()];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = found.get(i).id;
            scores[i] = found.get(i).score;
        }
        if (!Arrays.equals(wanted, ids)) {
            isStep = true;
            Set<Integer> shared = first(wanted);
            shared.retainAll(first(ids));
            if (shared.size() < Math.min(SHARED, wanted.length)) {
                throw new AssertionError(what + ": Python gives " + Arrays.toString(wanted)
                        + ", the app " + Arrays.toString(ids));
            }
        }
        compareFigures(what, Expected.floats(expected.getJSONArray("scores")), scores);
    }

    private static Set<Integer> first(int[] ids) {
        Set<Integer> first = new HashSet<>();
        for (int i = 0; i < Math.min(FIRST, ids.length); i++) {
            first.add(ids[i]);
        }
        return first;
    }

    private void compareFigures(String what, float[] wanted, float[] found) {
        if (wanted.length != found.length) {
            throw new AssertionError(what + ": Python gives " + wanted.length + " figures, the app "
                    + found.length);
        }
        float off = 0;
        float most = 0;
        for (int i = 0; i < wanted.length; i++) {
            off = Math.max(off, Math.abs(wanted[i] - found[i]));
            most = Math.max(most, Math.abs(wanted[i]));
        }
        check(what, off, most, Arrays.toString(wanted), Arrays.toString(found));
    }

    /** The reasons are the positive contributions to the newest L books of the history. */
    private void compareReasons(String what, int[] history, float[] contributions,
            List<ScoredBook> found) {
        int start = Math.max(0, history.length - contributions.length);
        Map<Integer, List<Float>> wanted = new TreeMap<>();
        float most = 0;
        for (int i = start; i < history.length; i++) {
            if (1 <= history[i] && history[i] <= recommender.config().numItems) {
                put(wanted, history[i], contributions[i - start]);
                most = Math.max(most, Math.abs(contributions[i - start]));
            }
        }
        Map<Integer, List<Float>> given = new TreeMap<>();
        for (ScoredBook one : found) {
            put(given, one.id, one.score);
        }
        float off = 0;
        for (Map.Entry<Integer, List<Float>> one : wanted.entrySet()) {
            List<Float> right = given.containsKey(one.getKey()) ? given.remove(one.getKey())
                    : new ArrayList<Float>();
            for (int i = 0; i < Math.max(one.getValue().size(), right.size()); i++) {
                off = Math.max(off, Math.abs(at(one.getValue(), i) - at(right, i)));
            }
        }
        if (!given.isEmpty()) {
            throw new AssertionError(what + ": reasons that are not in it: " + given);
        }
        check(what, off, most, wanted.toString(), found.toString());
    }

    private void check(String what, float off, float most, String wanted, String found) {
        // Written so that a NaN is refused.
        if (!(off <= TOLERANCE)) {
            isStep = true;
            if (!(off <= STEP * most)) {
                throw new AssertionError(what + ": " + off + " apart: Python gives " + wanted
                        + ", the app " + found);
            }
        }
        error = Math.max(error, off);
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
}
